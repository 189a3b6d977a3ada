'use client'
import type { Messages } from './messages.ts'
import { pluralOf } from './plural.ts'

const GOOGLE = 'https://www.googleapis.com/auth/'

const plural = pluralOf('ar')
const list = new Intl.ListFormat('ar')
/** A name, address or number of another script: isolated, so that the order of the words around it stays right. */
const iso = (text: string) => `\u2068${text}\u2069`
const named = (name: string, account?: string) => `${iso(name)}${account ? ` (${iso(account)})` : ''}`

/** The sentences of what is shown only after a click. */
const onIntent = {
  serverKinds: {
    open: 'بلا تسجيل دخول',
    headers: 'بترويسات خاصة به',
    command: 'يعمل إلى جانب الوكيل',
  },
  addServerTaken: (name: string) => `الاسم ${iso(name)} مستخدم بالفعل. يلزم اسم آخر للخادم.`,
  addServerGives: (name: string, place: string) => `سيحصل ${iso(place)} على صلاحية الوصول إلى حسابك في ${iso(name)}.`,
  deleteRegistrationTitle: (host: string) => `حذف التسجيل لدى ${iso(host)}؟`,
  deleteRegistrationBody: (host: string) =>
    `ستحتاج حسابات الخوادم التي تسجّل الدخول عبر ${iso(host)} إلى ربط جديد، وسيُعاد تسجيل هذا التطبيق هناك حينها.`,
  accountsMenu: 'الحسابات',
  accountsMenuName: (names: string) =>
    names ? `الحسابات: تستخدم الرسالة التالية ${iso(names)}` : 'الحسابات: لا تستخدم الرسالة التالية أي حساب',

  consentTitle: (name: string) => `ما المسموح لوكيلك في ${iso(name)}؟`,
  consentBody: (name: string, account?: string) =>
    `${account ? `سيحصل الوكيل على صلاحيات أوسع في ${iso(account)}. ` : ''}سيطلب ${iso(name)} تأكيدك، ويمكن سحب الصلاحية في أي وقت.`,
  consentNeeded: 'لازم للربط',
  consentGranted: 'مسموح من قبل',
  consentChoice: 'حسب اختيارك',
  consentMore: 'جديد',
  consentNothing: 'يلزم أولًا اختيار ما يُسمح به.',
  consentContinue: (name: string) => `المتابعة إلى ${iso(name)}`,

  keyFailed: 'حدث خطأ ما ولم يُربط حسابك. يُرجى إعادة المحاولة.',
  reveal: 'إظهار ما كُتب',
  chooseFile: (file: string) => `اختيار ${iso(file)}`,
  fileShort: 'ملف',
  selectPrompt: 'اختيار…',
  fieldPattern: (label: string) => `لا يبدو هذا صالحًا للحقل «${iso(label)}». يُرجى التحقق من نسخه كاملًا.`,
  fieldUrl: (label: string) => `يُرجى إدخال عنوان ويب يبدأ بـ ${iso('https://')} في الحقل «${iso(label)}».`,
  fieldJson: (label: string) =>
    `محتوى الحقل «${iso(label)}» غير كامل. يُرجى لصقه كله، من أول ${iso('{')} إلى آخر ${iso('}')}.`,
  fieldJsonHint: 'يُلصق كاملًا، أو يُفلَت الملف هنا.',
  rotateShort: 'استبدال المفتاح',
  rotate: (name: string, account?: string) => `استبدال مفتاح ${named(name, account)}`,
  rotateForm: (name: string, account: string) => `استبدال مفتاح ${iso(account)} في ${iso(name)}`,
  rotateHint: (account: string) => `يبقى مفتاح ${iso(account)} مستخدمًا إلى أن يُتحقق من الجديد.`,
  rotateUnchecked: (name: string) =>
    `تعذّر على ${iso(name)} التحقق من هذا المفتاح الآن، فلم يتغير شيء. يُرجى إعادة المحاولة.`,

  accountsMenuTitle: 'للرسالة التالية',
  accountsMenuAvailable: 'غير مربوطة',
  accountsMenuManage: 'إدارة الحسابات',

  clientIdTitle: (name: string) => `يحتاج ${iso(name)} إلى معرّف عميل`,
  clientIdBody: (host: string) =>
    `يلزم تسجيل هذا التطبيق لدى ${iso(host)} بعنوان العودة أدناه، ثم إدخال معرّف العميل الذي يُعطى هناك.`,
  clientIdLabel: 'معرّف العميل',
  clientIdRedirect: 'عنوان العودة',
  clientIdMissing: 'يُرجى إدخال معرّف العميل.',
  clientIdWrong: 'لا يحتوي معرّف العميل على فواصل أسطر أو أحرف غير مرئية. يُرجى نسخه من جديد.',
  clientIdUnreachable: (name: string) => `تعذّر الوصول إلى خادم تسجيل الدخول الخاص بـ ${iso(name)}.`,
  copyShort: 'نسخ',
  copied: 'تم النسخ',
  registrationDeleted: (host: string) => `حُذف التسجيل لدى ${iso(host)}.`,
}

/** Every sentence in Arabic: `<LatchkeyProvider messages={arabic}>`. */
export const arabic: Messages = {
  locale: 'ar',
  dir: 'rtl',
  providers: {
    github: {
      description: 'المستودعات والمشكلات وطلبات السحب',
      scopes: {
        'read:user': 'رؤية ملفك الشخصي',
        'user:email': 'رؤية عناوين بريدك الإلكتروني',
        public_repo: 'قراءة مستودعاتك العامة وتعديلها',
        repo: 'قراءة كل مستودعاتك وتعديلها، حتى الخاصة منها',
        'read:org': 'رؤية المؤسسات التي تنتمي إليها',
        gist: 'إنشاء مقتطفات Gist وتعديلها',
        notifications: 'قراءة إشعاراتك وتمييزها كمقروءة',
        workflow: 'تعديل مهام سير العمل في GitHub Actions',
      },
      short: {
        public_repo: 'تعديل المستودعات العامة',
        repo: 'تعديل المستودعات',
        gist: 'تعديل المقتطفات',
        notifications: 'تمييز الإشعارات كمقروءة',
        workflow: 'تعديل مهام سير العمل',
      },
    },
    gmail: {
      description: 'قراءة بريدك الإلكتروني والبحث فيه',
      scopes: {
        openid: 'معرفة هويتك',
        email: 'رؤية عنوان بريدك الإلكتروني',
        profile: 'رؤية اسمك وصورتك',
        [`${GOOGLE}gmail.readonly`]: 'قراءة كل بريدك الإلكتروني',
        [`${GOOGLE}gmail.metadata`]: 'رؤية المرسلين والمواضيع دون النص',
        [`${GOOGLE}gmail.send`]: 'إرسال البريد الإلكتروني باسمك',
        [`${GOOGLE}gmail.compose`]: 'كتابة المسودات وإرسالها',
        [`${GOOGLE}gmail.modify`]: 'قراءة بريدك الإلكتروني وتصنيفه وحذفه',
      },
      short: {
        [`${GOOGLE}gmail.readonly`]: 'قراءة البريد',
        [`${GOOGLE}gmail.send`]: 'إرسال البريد',
        [`${GOOGLE}gmail.compose`]: 'إرسال البريد',
        [`${GOOGLE}gmail.modify`]: 'تعديل البريد',
      },
    },
    kaggle: { description: 'مجموعات البيانات والدفاتر والمسابقات' },
  },
  ...onIntent,
  status: {
    loading: 'جارٍ التحميل',
    disconnected: 'غير مربوط',
    connecting: 'جارٍ الربط',
    connected: 'مربوط',
    expiring: 'تنتهي صلاحيته قريبًا',
    paused: 'متوقف مؤقتًا',
    'needs-reconnect': 'يحتاج إلى إعادة ربط',
  },
  reasons: {
    expired: () => 'انتهت صلاحية الوصول',
    revoked: () => 'أُلغيت صلاحية الوصول',
    invalid_token: (name) => `أنهى ${iso(name)} تسجيل دخول هذا التطبيق`,
    issuer_changed: (name) => `تغيّر خادم تسجيل الدخول لدى ${iso(name)}`,
    resource_changed: (name) => `تغيّر عنوان ${iso(name)}`,
    secret_unavailable: () => 'لم تعد بيانات الدخول المحفوظة مقروءة',
    offline: () => 'لا يوجد اتصال بالإنترنت',
    unverified: () => 'لم يُتحقق منه بعد',
    access_denied: (name) => `رُفض الطلب لدى ${iso(name)}.`,
    popup_blocked: () => 'حظر المتصفح النافذة.',
    popup_closed: () => 'يبدو أن النافذة أُغلقت.',
    embedded: (name) => `هذا التطبيق داخل صفحة أخرى، وقد لا يستطيع ${iso(name)} الوصول إليه.`,
  },
  errors: {
    account_changed: (name) => `سُجّل الدخول بحساب آخر في ${iso(name)}. لم يتغير شيء.`,
    invalid_client: (name) => `لا يقبل ${iso(name)} هذا التطبيق. الحل بيد مطوّريه.`,
    invalid_grant: (name) => `لم يقبل ${iso(name)} تسجيل الدخول. لم يُربط شيء.`,
    flow_lost: (name) => `ضاع تسجيل الدخول في ${iso(name)} في طريق العودة. لم يُربط شيء.`,
    flow_unknown: (name) => `وصل رد من ${iso(name)} لم تطلبه. لم يُربط شيء.`,
    insufficient_scope: (name) => `لم يمنح ${iso(name)} كل ما طُلب.`,
    invalid_scope: (name) => `لا يتيح ${iso(name)} الصلاحية المطلوبة.`,
    invalid_token: (name) => `لم يقبل ${iso(name)} هذا المفتاح. يُرجى التحقق من نسخه كاملًا.`,
    issuer_mismatch: (name) => `لم يأتِ الرد من ${iso(name)}. لم يُربط شيء.`,
    network: (name) => `تعذّر الوصول إلى ${iso(name)}. يُرجى التحقق من الاتصال وإعادة المحاولة.`,
    server_error: (name) => `حدثت مشكلة لدى ${iso(name)}. يُرجى إعادة المحاولة بعد قليل.`,
    state_mismatch: (name) => `لا يخص رد ${iso(name)} تسجيل الدخول هذا. لم يُربط شيء.`,
    temporarily_unavailable: (name) => `خدمة ${iso(name)} مشغولة. يُرجى إعادة المحاولة بعد قليل.`,
    timeout: (name) => `استغرق تسجيل الدخول في ${iso(name)} وقتًا طويلًا. يُرجى إعادة المحاولة.`,
  },
  custody: {
    sealed: 'محفوظ في هذا المتصفح، ومشفّر.',
    plain: 'محفوظ في هذا المتصفح دون تشفير.',
    session: 'محفوظ في علامة التبويب هذه حتى إغلاقها.',
    memory: 'غير محفوظ: تُفقد حساباتك عند إغلاق هذه الصفحة.',
    vault: 'محفوظ على الخادم، ومشفّر.',
  },

  custodyMore: 'كيف تُحفظ حساباتك',
  custodyInfo: {
    sealed:
      'الرموز والمفاتيح مشفّرة بمفتاح لا يمكن نسخه من هذا المتصفح. لا تُرسل إلا إلى الخدمات التي تربطها وإلى وكيلك.',
    plain:
      'لا يستطيع هذا المتصفح تشفيرها هنا. يستطيع من يستخدم هذا الملف الشخصي للمتصفح قراءتها، فيُرجى فصل الحسابات قبل ترك جهاز مشترك.',
    session: 'تُحذف الرموز والمفاتيح عند إغلاق علامة التبويب هذه.',
    memory: 'الرموز والمفاتيح في هذه الصفحة فقط. تُفقد حساباتك عند إغلاقها أو إعادة تحميلها.',
    vault: 'الرموز والمفاتيح مشفّرة على خادم هذا التطبيق، ولا تُرسل إلى هذا المتصفح.',
  },

  title: 'الحسابات المربوطة',
  description: 'يمكن هنا ربط الخدمات التي يستطيع وكيلك استخدامها.',
  notPersistent: 'لا يحفظ هذا المتصفح شيئًا، لذلك تُفقد حساباتك عند إغلاق هذه الصفحة.',
  notPersistentHint: 'يُرجى السماح لهذا الموقع بحفظ البيانات، ثم إعادة التحميل.',
  loadFailed: 'تعذّر تحميل هذا الجزء. يُرجى إعادة التحميل للمحاولة من جديد.',
  reload: 'إعادة التحميل',
  noProviders: 'لا توجد خدمات متاحة بعد',
  search: 'بحث',
  clearSearch: 'مسح البحث',
  found: (count, all) => `${count} من ${all}`,
  noMatch: (query) => `لا نتائج لـ «${iso(query)}».`,
  groupConnected: 'المربوطة',
  groupAvailable: 'المتاحة',

  connectShort: 'ربط',
  connect: (name) => `ربط ${iso(name)}`,
  addAnother: (name) => `إضافة حساب آخر في ${iso(name)}`,
  sameAccount: (name, account) =>
    `${iso(account)} مربوط من قبل. لإضافة حساب آخر يلزم أولًا تسجيل الدخول به في ${iso(name)}.`,
  reconnectShort: 'إعادة الربط',
  reconnect: (name, account) => `إعادة ربط ${named(name, account)}`,
  disconnectShort: 'فصل',
  disconnect: (name, account) => `فصل ${named(name, account)}`,
  disconnectAll: 'فصل الكل',
  pauseShort: 'إيقاف مؤقت',
  pause: (name, account) => `إيقاف ${named(name, account)} مؤقتًا`,
  resumeShort: 'استئناف',
  resume: (name, account) => `استئناف ${named(name, account)}`,
  paused: 'متوقف مؤقتًا، ولا يستخدمه وكيلك.',
  more: (name, account) => `خيارات أخرى لـ ${named(name, account)}`,
  moreShort: 'خيارات أخرى',
  isDefault: 'افتراضي',
  makeDefaultShort: 'تعيين كافتراضي',
  makeDefault: (account) => `تعيين كافتراضي: ${iso(account)}`,
  switcher: (name) => `الحساب الافتراضي في ${iso(name)}`,
  accountCount: (count) =>
    plural(count, {
      zero: () => 'لا حسابات',
      one: () => 'حساب واحد',
      two: () => 'حسابان',
      few: (n) => `${n} حسابات`,
      many: (n) => `${n} حسابًا`,
      other: (n) => `${n} حساب`,
    }),
  detailsShort: 'تفاصيل',
  details: (name, account) => `تفاصيل ${named(name, account)}`,
  connectedAs: (account) => `مربوط باسم ${iso(account)}`,
  can: (abilities) => `يمكنه ${abilities}`,
  canChange: 'يمكنه إجراء تعديلات',
  partly: 'بعض الصلاحيات ناقصة',
  missing: (name) => `غير مسموح في ${iso(name)}:`,
  close: 'إغلاق',
  grantShort: 'منح الصلاحية',
  grant: (name, account) => `منح الصلاحية في ${named(name, account)}`,
  tryAgainShort: 'إعادة المحاولة',
  tryAgain: (name) => `إعادة المحاولة مع ${iso(name)}`,
  cancelShort: 'إلغاء',
  cancelConnect: (name) => `إلغاء ربط ${iso(name)}`,
  dismiss: 'إخفاء',

  waiting: (name) => `يُستكمل في نافذة ${iso(name)}`,
  finishing: (name) => `جارٍ إنهاء الربط مع ${iso(name)}…`,
  stillWaiting: (name) => `ما زلنا في انتظار ${iso(name)}. هل هناك مشكلة في النافذة؟`,
  showWindowShort: 'إظهار النافذة',
  showWindow: (name) => `إظهار النافذة: ${iso(name)}`,
  popupClosed: 'أُغلقت النافذة قبل الانتهاء',
  popupBlocked: 'حظر المتصفح النافذة.',
  openInNewTab: 'فتح في علامة تبويب جديدة',
  openInThisTab: 'فتح في علامة التبويب هذه',
  copyLink: 'نسخ الرابط',
  linkCopied: 'نُسخ الرابط. يُفتح في هذا المتصفح.',
  linkNotCopied: 'تعذّر نسخ الرابط.',
  embedded: (name) => `هل أُغلقت النافذة؟ إن لم تُغلق، فلا يصل ${iso(name)} إلى هذا التطبيق لأنه داخل صفحة أخرى.`,
  openOwnTab: 'فتح التطبيق في علامة تبويب مستقلة',
  denied: (name) => `رُفض الطلب لدى ${iso(name)}. لم يُربط شيء.`,
  serverSaid: (name, detail) => `رد ${iso(name)}: «${iso(detail)}»`,
  notConfigured: 'غير مُعدّ',
  notConfiguredHint: (name) => `لم يُعدّ هذا التطبيق لـ ${iso(name)} بعد.`,

  apiKeyBadge: 'مفتاح API',
  access: (name) => `المسموح لوكيلك في ${iso(name)}`,
  sensitive: 'حساس',
  expires: (when) => `تنتهي الصلاحية ${when}`,
  expired: (when) => `انتهت الصلاحية ${when}`,
  renews: (when) => `يتجدد تلقائيًا ${when}`,
  renewsOnUse: 'يتجدد تلقائيًا عند الاستخدام التالي',
  endless: 'حتى فصله',

  factAccount: 'الحساب',
  factSince: 'وقت الربط',
  factUntil: 'الصلاحية',
  factAccess: 'المسموح',
  factRead: 'يمكنه قراءة',
  factChange: 'يمكنه تعديل',
  factMissing: 'غير مسموح',
  factId: 'المعرّف',
  profile: (name) => `الملف الشخصي في ${iso(name)}`,
  technical: 'تفاصيل تقنية',
  rawScopes: (name) => `أسماء الصلاحيات في ${iso(name)}`,
  extraScope: 'لم تُطلب',

  keyForm: (name) => `ربط ${iso(name)} بمفتاح`,
  getApiKey: 'الحصول على مفتاح API',
  keyFileHint: (file) => `يُلصق المفتاح، أو يُلصق ملف ${iso(file)} كاملًا أو يُفلَت هنا.`,
  checking: 'جارٍ التحقق…',
  keyMissing: (label) => `يُرجى ملء الحقل «${iso(label)}».`,
  keyUnprintable: (label) => `في الحقل «${iso(label)}» فواصل أسطر أو أحرف غير مرئية. يُرجى نسخه من جديد ولصقه كما هو.`,
  keyTooLong: (label) => `هذا أطول مما يسعه الحقل «${iso(label)}». يُرجى التحقق مما لُصق.`,
  keyFileUnreadable: (file) => `ليس هذا ملف ${iso(file)} فيه مفتاح. يُرجى تنزيله من جديد، أو لصق المفتاح وحده.`,

  disconnectTitle: (name, account) => `فصل ${iso(account)} عن ${iso(name)}؟`,
  disconnectBody: (_name, account) => `سيفقد وكيلك الوصول إلى ${iso(account)} فورًا.`,
  disconnectKeyBody: (name, account) =>
    `سيفقد وكيلك الوصول إلى ${iso(account)} فورًا. يبقى المفتاح صالحًا إلى أن يُلغى لدى ${iso(name)}.`,
  disconnectOthers: (others) => `يبقى الربط مع ${list.format(others.map(iso))}.`,
  disconnecting: 'جارٍ الفصل…',
  revoking: 'جارٍ إلغاء الصلاحية…',
  disconnectedTitle: (name) => `فُصل ${iso(name)}`,
  done: 'تم',
  disconnectAllTitle: 'فصل كل الحسابات؟',
  disconnectAllBody: (count) =>
    plural(count, {
      zero: () => 'لا توجد حسابات مربوطة.',
      one: () => 'سيفقد وكيلك الوصول إلى الحساب فورًا.',
      two: () => 'سيفقد وكيلك الوصول إلى الحسابين فورًا.',
      few: (n) => `سيفقد وكيلك الوصول إلى كل الحسابات (${n} حسابات) فورًا.`,
      many: (n) => `سيفقد وكيلك الوصول إلى كل الحسابات (${n} حسابًا) فورًا.`,
      other: (n) => `سيفقد وكيلك الوصول إلى كل الحسابات (${n} حساب) فورًا.`,
    }),
  revoked: (name, tokens, account) => {
    const kinds = tokens.map((token) => (token === 'refresh_token' ? 'رمز التجديد' : 'رمز الوصول'))
    return `${account ? `${iso(account)}: ` : ''}أُلغيت صلاحية الوصول لدى ${iso(name)}${kinds.length > 0 ? ` (${list.format(kinds)})` : ''}.`
  },
  removedKey: (name, account) =>
    `أُزيل من هنا${account ? `: ${iso(account)}` : ''}. يبقى المفتاح صالحًا لدى ${iso(name)} إلى أن يُلغى هناك.`,
  removed: (name, account) =>
    `أُزيل من هنا${account ? `: ${iso(account)}` : ''}. قد تبقى صلاحية الوصول سارية لدى ${iso(name)} إلى أن تُلغى هناك.`,
  removedUntold: (name, why, account) =>
    `أُزيل من هنا${account ? `: ${iso(account)}` : ''}. تعذّر إلغاء صلاحية الوصول لدى ${iso(name)}: ${why}`,
  removedPending: (name, account) =>
    `فُصل هنا${account ? `: ${iso(account)}` : ''}. سيُلغى الوصول لدى ${iso(name)} عندما يصبح الاتصال به ممكنًا.`,
  untoldNetwork: 'فشل الاتصال.',
  untoldOther: 'كان الرد خطأ.',
  manage: (name) => `إلغاء الصلاحية لدى ${iso(name)}`,

  changedTitle: (to) => `سُجّل الدخول باسم ${iso(to)}`,
  changed: (from, to) => `سُجّل الدخول باسم ${iso(to)} لا باسم ${iso(from)}. لم يتغير شيء بعد.`,
  changedBody: (from, to) =>
    `كان ${iso(from)} مربوطًا هنا. يمكن إبقاء الحسابين معًا، أو استبدال ${iso(from)} بالحساب ${iso(to)}، وعندئذٍ يُفصل ${iso(from)}.`,
  choose: 'اختيار',
  keepBoth: 'إبقاء الحسابين',
  replace: (from) => `استبدال ${iso(from)}`,

  promptTitle: (name, tool) => (tool ? `يلزم ${iso(name)} لتشغيل ${iso(tool)}` : `يلزم ${iso(name)} للمتابعة`),
  promptScopes: 'المطلوب:',
  pausedPrompt: 'هذا الحساب متوقف مؤقتًا بطلب منك.',
  promptLaterShort: 'ليس الآن',
  promptLater: (name) => `ليس الآن: ${iso(name)}`,
  promptConnected: (name, account) => `${iso(name)} مربوط باسم ${iso(account)}`,

  promptPage: (name, host) => `يطلب ${iso(name)} زيارة ${iso(host)}`,
  openPage: (host) => `فتح ${iso(host)}`,
  pageDone: 'تم ذلك',

  addServer: 'إضافة خادم MCP',
  addServerLabel: `عنوان URL، أو ${iso('mcpServers')} بصيغة JSON لوكيل`,
  addServerNext: 'متابعة',
  addServerAsk: (count) =>
    plural(count, {
      zero: () => 'لا خوادم لإضافتها.',
      one: () => 'إضافة هذا الخادم؟',
      two: () => 'إضافة هذين الخادمين؟',
      few: (n) => `إضافة هذه الخوادم (${n} خوادم)؟`,
      many: (n) => `إضافة هذه الخوادم (${n} خادمًا)؟`,
      other: (n) => `إضافة هذه الخوادم (${n} خادم)؟`,
    }),
  addServerWarning: 'لم يُرسل شيء بعد. لا تُضاف إلا خوادم موثوقة: يمكن لأدواتها فعل كل ما تسمح به.',
  addServerConfirm: 'إضافة',
  registrations: 'تسجيلات التطبيق',
  registrationsEmpty: 'هذا التطبيق غير مسجّل في أي مكان.',
  registrationMethods: {
    'pre-registered': 'مسجّل مسبقًا',
    'metadata-document': 'مستند بيانات العميل الوصفية',
    dynamic: 'مسجّل تلقائيًا',
  },
  registrationExpires: (when) => `تنتهي صلاحية السر في ${when}`,
  deleteRegistrationShort: 'حذف',
  deleteRegistration: (host) => `حذف التسجيل لدى ${iso(host)}`,

  spoken: {
    found: (count) =>
      plural(count, {
        zero: () => 'لا نتائج.',
        one: () => 'نتيجة واحدة.',
        two: () => 'نتيجتان.',
        few: (n) => `${n} نتائج.`,
        many: (n) => `${n} نتيجة.`,
        other: (n) => `${n} نتيجة.`,
      }),
    connecting: (name) => `جارٍ ربط ${iso(name)}.`,
    connected: (name, account) => `${iso(name)}: مربوط الآن باسم ${iso(account)}.`,
    attention: (name, word) => `${iso(name)}: ${word}.`,
    windowClosed: (name) => `يبدو أن نافذة ${iso(name)} أُغلقت.`,
    embedded: (name) => `قد لا يصل ${iso(name)} إلى هذا التطبيق هنا.`,
    windowBlocked: (name) => `حُظرت نافذة ${iso(name)}.`,
    denied: (name) => `${iso(name)} غير مربوط.`,
    changed: (to) => `سُجّل الدخول باسم ${iso(to)}.`,
    disconnectedAll: (count) =>
      plural(count, {
        zero: () => 'لم يُفصل أي حساب.',
        one: () => 'فُصل حساب واحد.',
        two: () => 'فُصل حسابان.',
        few: (n) => `فُصلت ${n} حسابات.`,
        many: (n) => `فُصل ${n} حسابًا.`,
        other: (n) => `فُصل ${n} حساب.`,
      }),
    revoked: (name) => `فُصل ${iso(name)} وأُلغيت صلاحيته.`,
    removed: (name) => `فُصل ${iso(name)} من هنا.`,
  },
}
