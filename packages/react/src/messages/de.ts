'use client'
import type { Messages } from './messages.ts'
import { pluralOf } from './plural.ts'

const GOOGLE = 'https://www.googleapis.com/auth/'

const plural = pluralOf('de')
const list = new Intl.ListFormat('de')
const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** What only engineers tell apart. The code is under "Einzelheiten". */
const signInFailed = () => 'Die Anmeldung konnte nicht abgeschlossen werden. Versuchen Sie es noch einmal.'

/** The sentences of what is shown only after a click. */
const onIntent = {
  addServerTaken: (name: string) => `Der Name ${name} ist vergeben. Geben Sie dem Server einen anderen.`,
  addServerGives: (name: string, place: string) => `${place} erhält Zugriff auf Ihr ${name}-Konto.`,
  serverKinds: {
    open: 'Ohne Anmeldung',
    headers: 'Eigene Header',
    command: 'Lokal',
  },
  deleteRegistrationTitle: (host: string) => `Registrierung bei ${host} löschen?`,
  deleteRegistrationBody: (host: string) =>
    `Konten, die sich über ${host} anmelden, müssen danach neu verbunden werden.`,
  accountsMenu: 'Konten',
  accountsMenuName: (names: string) =>
    names ? `Konten in Gebrauch: ${names}` : 'Konten: keine in Gebrauch',

  consentTitle: (name: string) => `Festlegen, was Ihr Agent mit ${name} tun kann`,
  consentBody: (name: string, account?: string) =>
    `${account ? `Sie geben ihm gleich mehr Zugriff auf ${account}. ` : ''}${name} bittet Sie noch um Bestätigung. Sie können den Zugriff jederzeit zurücknehmen.`,
  consentNeeded: 'Erforderlich',
  consentGranted: 'Bereits erlaubt',
  consentChoice: 'Freiwillig',
  consentMore: 'Neu',
  consentNothing: 'Wählen Sie mindestens eine Berechtigung aus.',
  consentContinue: (name: string) => `Weiter zu ${name}`,

  keyFailed: 'Etwas ist schiefgegangen, und Ihr Konto wurde nicht verbunden. Versuchen Sie es noch einmal.',
  reveal: 'Eingabe anzeigen',
  chooseFile: (file: string) => `${file} auswählen`,
  fileShort: 'Datei',
  selectPrompt: 'Auswählen…',
  fieldPattern: (label: string) => `So sieht das Feld „${label}“ sonst nicht aus. Prüfen Sie, ob alles kopiert ist.`,
  fieldUrl: (label: string) => `Geben Sie bei „${label}“ eine Webadresse ein, die mit https:// beginnt.`,
  fieldJson: (label: string) => `Bei „${label}“ fehlt etwas. Fügen Sie alles ein, von der ersten { bis zur letzten }.`,
  fieldJsonHint: 'Fügen Sie alles ein, oder ziehen Sie die Datei hierher.',
  rotateShort: 'Schlüssel ersetzen',
  rotate: (name: string, account?: string) => `Schlüssel für ${named(name, account)} ersetzen`,
  rotateForm: (name: string, account: string) => `${name}-Schlüssel für ${account} ersetzen`,
  rotateHint: (account: string) => `Der Schlüssel für ${account} gilt weiter, bis der neue geprüft ist.`,
  rotateUnchecked: (name: string) =>
    `${name} konnte diesen Schlüssel nicht prüfen, deshalb bleibt alles, wie es ist. Versuchen Sie es noch einmal.`,

  accountsMenuTitle: 'Konten in diesem Chat',
  accountsMenuAvailable: 'Nicht verbunden',
  accountsMenuManage: 'Konten verwalten',

  clientIdTitle: (name: string) => `${name} braucht eine Client-ID`,
  clientIdBody: (host: string) =>
    `Registrieren Sie diese App bei ${host} mit der Rücksprungadresse unten, und fügen Sie dann die Client-ID ein.`,
  clientIdLabel: 'Client-ID',
  clientIdRedirect: 'Rücksprungadresse',
  clientIdMissing: 'Geben Sie die Client-ID ein.',
  clientIdWrong:
    'Diese Client-ID enthält Zeilenumbrüche oder unsichtbare Zeichen. Kopieren Sie sie noch einmal.',
  clientIdUnreachable: (name: string) => `Der Anmeldeserver von ${name} ist nicht erreichbar.`,
  copyShort: 'Kopieren',
  copied: 'Kopiert',
  registrationDeleted: (host: string) => `Registrierung bei ${host} gelöscht.`,
}

/** Every sentence in German: `<LatchkeyProvider messages={german}>`. */
export const german: Messages = {
  locale: 'de',
  dir: 'ltr',
  providers: {
    github: {
      description: 'Repositorys, Issues und Pull Requests',
      scopes: {
        'read:user': 'Ihr Profil sehen',
        'user:email': 'Ihre E-Mail-Adressen sehen',
        public_repo: 'Ihre öffentlichen Repositorys lesen und ändern',
        repo: 'Alle Ihre Repositorys lesen und ändern, auch private',
        'read:org': 'Sehen, zu welchen Organisationen Sie gehören',
        gist: 'Gists erstellen und ändern',
        notifications: 'Ihre Benachrichtigungen lesen und abhaken',
        workflow: 'Workflows von GitHub Actions ändern',
      },
      short: {
        public_repo: 'öffentliche Repositorys ändern',
        repo: 'Repositorys ändern',
        gist: 'Gists ändern',
        notifications: 'Benachrichtigungen abhaken',
        workflow: 'Workflows ändern',
      },
    },
    gmail: {
      description: 'Ihre E-Mails lesen und durchsuchen',
      scopes: {
        openid: 'Wissen, wer Sie sind',
        email: 'Ihre E-Mail-Adresse sehen',
        profile: 'Ihren Namen und Ihr Bild sehen',
        [`${GOOGLE}gmail.readonly`]: 'Alle Ihre E-Mails lesen',
        [`${GOOGLE}gmail.metadata`]: 'Absender und Betreff sehen, nicht den Text',
        [`${GOOGLE}gmail.send`]: 'E-Mails in Ihrem Namen senden',
        [`${GOOGLE}gmail.compose`]: 'Entwürfe schreiben und senden',
        [`${GOOGLE}gmail.modify`]: 'Ihre E-Mails lesen, mit Labels versehen und löschen',
      },
      short: {
        [`${GOOGLE}gmail.readonly`]: 'E-Mails lesen',
        [`${GOOGLE}gmail.send`]: 'E-Mails senden',
        [`${GOOGLE}gmail.compose`]: 'E-Mails senden',
        [`${GOOGLE}gmail.modify`]: 'E-Mails ändern',
      },
    },
    kaggle: { description: 'Datensätze, Notebooks und Wettbewerbe' },
  },
  ...onIntent,
  status: {
    loading: 'Wird geladen',
    disconnected: 'Nicht verbunden',
    connecting: 'Wird verbunden',
    connected: 'Verbunden',
    expiring: 'Läuft bald ab',
    paused: 'Angehalten',
    'needs-reconnect': 'Neu verbinden nötig',
  },
  reasons: {
    expired: () => 'Der Zugriff ist abgelaufen',
    revoked: () => 'Der Zugriff wurde widerrufen',
    invalid_token: (name) => `${name} hat diese App abgemeldet`,
    issuer_changed: (name) => `${name} hat einen neuen Anmeldeserver`,
    resource_changed: (name) => `${name} hat eine neue Adresse`,
    secret_unavailable: () => 'Die gespeicherte Anmeldung ist nicht mehr lesbar',
    offline: () => 'Sie sind offline',
    unverified: () => 'Noch nicht geprüft',
    access_denied: () => 'Sie haben den Zugriff abgelehnt.',
    popup_blocked: () => 'Ihr Browser hat das Pop-up blockiert.',
    popup_closed: () => 'Das Fenster wurde vor dem Abschluss geschlossen.',
    embedded: () => 'Die Anmeldung klappt womöglich nicht, solange diese App in eine andere Seite eingebettet ist.',
  },
  errors: {
    account_changed: (name) => `Das ist ein anderes ${name}-Konto, deshalb bleibt alles, wie es ist.`,
    flow_lost: signInFailed,
    flow_unknown: signInFailed,
    insufficient_scope: () => 'Einige Berechtigungen wurden nicht erteilt.',
    invalid_client: (name) => `${name} lehnt die Einrichtung dieser App ab. Wenden Sie sich an deren Support.`,
    invalid_grant: signInFailed,
    invalid_scope: (name) => `${name} bietet einige der Berechtigungen nicht an, um die diese App bittet.`,
    invalid_token: (name) => `${name} lehnt diesen Schlüssel ab. Prüfen Sie, ob er vollständig kopiert ist.`,
    issuer_mismatch: signInFailed,
    network: (name) => `${name} ist nicht erreichbar. Prüfen Sie Ihre Verbindung, und versuchen Sie es noch einmal.`,
    server_error: (name) => `Bei ${name} gab es ein Problem. Versuchen Sie es gleich noch einmal.`,
    state_mismatch: signInFailed,
    temporarily_unavailable: (name) => `${name} ist gerade ausgelastet. Versuchen Sie es gleich noch einmal.`,
    timeout: () => 'Die Anmeldung hat zu lange gedauert. Versuchen Sie es noch einmal.',
  },
  appUnreachable: 'Der Server dieser App ist nicht erreichbar. Versuchen Sie es gleich noch einmal.',
  appProblem: 'Beim Server dieser App gab es ein Problem. Versuchen Sie es gleich noch einmal.',
  offline: (name) => `Sie sind offline. Verbinden Sie ${name}, sobald Sie wieder online sind.`,
  errorCode: (code) => `Fehlercode: ${code}`,
  custody: {
    sealed: 'Verschlüsselt in diesem Browser gespeichert',
    plain: 'Unverschlüsselt in diesem Browser gespeichert',
    session: 'Gespeichert, bis Sie diesen Tab schließen',
    memory: 'Nicht gespeichert: weg, wenn Sie diese Seite schließen',
    vault: 'Verschlüsselt auf dem Server gespeichert',
  },

  custodyMore: 'So werden Ihre Konten gespeichert',
  custodyInfo: {
    sealed:
      'Tokens und Schlüssel sind so verschlüsselt, dass nur dieser Browser sie lesen kann. Sie gehen nur an die Dienste, die Sie verbinden, und an Ihren Agenten.',
    plain:
      'Dieser Browser kann sie hier nicht verschlüsseln. Wer dieses Browserprofil nutzt, kann sie lesen: Trennen Sie Ihre Konten, bevor Sie einen gemeinsamen Rechner verlassen.',
    session: 'Tokens und Schlüssel werden gelöscht, wenn Sie diesen Tab schließen.',
    memory: 'Tokens und Schlüssel sind nur in dieser Seite. Schließen oder laden Sie sie neu, sind Ihre Konten weg.',
    vault: 'Tokens und Schlüssel liegen verschlüsselt auf dem Server dieser App und kommen nie in diesen Browser.',
  },

  title: 'Verbundene Konten',
  description: 'Verbinden Sie die Dienste, die Ihr Agent nutzen kann.',
  notPersistent: 'Dieser Browser speichert nichts: Ihre Konten sind weg, wenn Sie diese Seite schließen.',
  notPersistentHint: 'Erlauben Sie in Ihrem Browser Websitedaten, und laden Sie neu.',
  loadFailed:
    'Dieser Teil konnte nicht geladen werden. Laden Sie neu, um es noch einmal zu versuchen.',
  reload: 'Neu laden',
  noProviders: 'Noch keine Dienste verfügbar',
  search: 'Suchen',
  clearSearch: 'Suche leeren',
  found: (count, all) => `${count} von ${all}`,
  noMatch: (query) => `Keine Treffer für „${query}“.`,
  groupConnected: 'Verbunden',
  groupAvailable: 'Verfügbar',

  connectShort: 'Verbinden',
  connect: (name) => `${name} verbinden`,
  addAnother: (name) => `Weiteres ${name}-Konto hinzufügen`,
  sameAccount: (name, account) =>
    `${account} ist schon verbunden. Um ein anderes Konto hinzuzufügen, wechseln Sie zuerst das ${name}-Konto.`,
  reconnectShort: 'Neu verbinden',
  reconnect: (name, account) => `${named(name, account)} neu verbinden`,
  disconnectShort: 'Trennen',
  disconnect: (name, account) => `${named(name, account)} trennen`,
  disconnectAll: 'Alle trennen',
  pauseShort: 'Anhalten',
  pause: (name, account) => `${named(name, account)} anhalten`,
  resumeShort: 'Fortsetzen',
  resume: (name, account) => `${named(name, account)} fortsetzen`,
  paused: 'Angehalten. Ihr Agent nutzt es nicht.',
  more: (name, account) => `Weitere Optionen für ${named(name, account)}`,
  moreShort: 'Weitere Optionen',
  isDefault: 'Standard',
  makeDefaultShort: 'Als Standard festlegen',
  makeDefault: (account) => `Als Standard festlegen: ${account}`,
  switcher: (name) => `${name}-Standardkonto`,
  accountCount: (count) => plural(count, { one: (n) => `${n} Konto`, other: (n) => `${n} Konten` }),
  detailsShort: 'Einzelheiten',
  details: (name, account) => `Einzelheiten zu ${named(name, account)}`,
  connectedAs: (account) => `Verbunden als ${account}`,
  can: (abilities) => `Kann ${abilities}`,
  canChange: 'Kann Änderungen vornehmen',
  partly: 'Etwas Zugriff fehlt',
  close: 'Schließen',
  grantShort: 'Zugriff erlauben',
  grant: (name, account) => `Zugriff erlauben: ${named(name, account)}`,
  tryAgainShort: 'Noch einmal',
  tryAgain: (name) => `Noch einmal mit ${name}`,
  cancelShort: 'Abbrechen',
  cancelConnect: (name) => `Verbinden mit ${name} abbrechen`,
  dismiss: 'Ausblenden',

  waiting: (name) => `Weiter im Fenster von ${name}`,
  finishing: (name) => `Wird mit ${name} abgeschlossen…`,
  stillWaiting: (name) => `Noch keine Antwort von ${name}. Probleme mit dem Fenster?`,
  showWindowShort: 'Fenster zeigen',
  showWindow: (name) => `Fenster zeigen: ${name}`,
  popupClosed: 'Fenster vor dem Abschluss geschlossen',
  popupBlocked: 'Ihr Browser hat das Pop-up blockiert.',
  openInNewTab: 'In neuem Tab öffnen',
  openInThisTab: 'In diesem Tab öffnen',
  copyLink: 'Link kopieren',
  linkCopied: 'Link kopiert. Öffnen Sie ihn in diesem Browser, um fortzufahren.',
  linkNotCopied: 'Der Link konnte nicht kopiert werden.',
  embedded: 'Die Anmeldung klappt womöglich nicht, solange diese App in eine andere Seite eingebettet ist.',
  openOwnTab: 'App in eigenem Tab öffnen',
  denied: (name) => `Sie haben den Zugriff abgelehnt. ${name} wurde nicht verbunden.`,
  serverSaid: (name, detail) => `${name} meldet: „${detail}“`,
  notConfigured: 'Nicht verfügbar',
  notConfiguredHint: (name) => `Diese App ist für ${name} noch nicht eingerichtet.`,

  apiKeyBadge: 'API-Schlüssel',
  access: (name) => `Was Ihr Agent mit ${name} tun kann`,
  sensitive: 'Heikel',
  expires: (when) => `Läuft ${when} ab`,
  expired: (when) => `${when} abgelaufen`,
  renews: (when) => `Wird ${when} automatisch erneuert`,
  renewsOnUse: 'Wird bei der nächsten Nutzung automatisch erneuert',
  endless: 'Kein Ablauf',

  factAccount: 'Konto',
  factSince: 'Verbunden',
  factUntil: 'Zugriff',
  factAccess: 'Erlaubt',
  factRead: 'Kann lesen',
  factChange: 'Kann ändern',
  factMissing: 'Nicht erlaubt',
  factId: 'Kennung',
  profile: (name) => `${name}-Profil ansehen`,
  technical: 'Technische Einzelheiten',
  rawScopes: (name) => `Technische Namen von ${name}`,

  keyForm: (name) => `${name} mit einem Schlüssel verbinden`,
  getApiKey: 'API-Schlüssel holen',
  keyFileHint: (file) =>
    `Fügen Sie Ihren Schlüssel ein, oder ziehen Sie ${file} hierher.`,
  checking: 'Wird geprüft…',
  keyMissing: (label) => `Füllen Sie „${label}“ aus.`,
  keyUnprintable: (label) =>
    `In „${label}“ sind Zeilenumbrüche oder unsichtbare Zeichen. Kopieren Sie es noch einmal.`,
  keyTooLong: (label) => `Das ist zu lang für „${label}“. Prüfen Sie, was Sie eingefügt haben.`,
  keyFileUnreadable: (file) =>
    `In dieser ${file} ist kein Schlüssel. Laden Sie sie noch einmal herunter, oder fügen Sie nur den Schlüssel ein.`,

  disconnectTitle: (name, account) => `${account} von ${name} trennen?`,
  disconnectBody: (_name, account) => `Ihr Agent verliert sofort den Zugriff auf ${account}.`,
  disconnectKeyBody: (name, account) =>
    `Ihr Agent verliert sofort den Zugriff auf ${account}. Der Schlüssel bleibt gültig, bis Sie ihn bei ${name} widerrufen.`,
  disconnectOthers: (others) => `${list.format(others)} ${others.length === 1 ? 'bleibt' : 'bleiben'} verbunden.`,
  disconnecting: 'Wird getrennt…',
  revoking: 'Zugriff wird widerrufen…',
  disconnectedTitle: (name) => `${name} ist getrennt`,
  done: 'Fertig',
  disconnectAllTitle: 'Alle Konten trennen?',
  disconnectAllBody: (count) =>
    plural(count, {
      one: () => 'Ihr Agent verliert sofort den Zugriff auf Ihr Konto.',
      other: (n) => `Ihr Agent verliert sofort den Zugriff auf alle Konten (${n}).`,
    }),
  revoked: (name, account) => `Zugriff auf ${named(name, account)} widerrufen.`,
  removedKey: (name, account) => `Der Schlüssel für ${named(name, account)} gilt weiter, bis Sie ihn widerrufen.`,
  removed: (name, account) =>
    `Hier getrennt. ${named(name, account)} erlaubt den Zugriff womöglich weiter, bis Sie ihn widerrufen.`,
  removedUntold: (name, why, account) =>
    `Hier getrennt, aber der Zugriff auf ${named(name, account)} konnte nicht widerrufen werden: ${why}`,
  removedPending: (name, account) =>
    `Hier getrennt. Der Zugriff auf ${named(name, account)} wird widerrufen, sobald ${name} wieder erreichbar ist.`,
  untoldNetwork: 'Die Verbindung kam nicht zustande.',
  untoldOther: 'Der Dienst hat mit einem Fehler geantwortet.',
  manage: (name) => `Bei ${name} widerrufen`,

  changedTitle: (to) => `Sie haben sich als ${to} angemeldet`,
  changed: (from, to) => `Sie haben sich als ${to} statt als ${from} angemeldet.`,
  changedBody: (from, to) =>
    `Möchten Sie beide Konten behalten, oder ${from} trennen und stattdessen ${to} nutzen?`,
  choose: 'Auswählen',
  keepBoth: 'Beide behalten',
  replace: (from) => `${from} ersetzen`,

  promptTitle: (name, tool) => (tool ? `Für ${tool} wird ${name} gebraucht` : `Zum Fortfahren wird ${name} gebraucht`),
  promptScopes: 'Ihr Agent kann dann:',
  pausedPrompt: 'Sie haben dieses Konto angehalten.',
  promptLaterShort: 'Nicht jetzt',
  promptLater: (name) => `Nicht jetzt: ${name}`,
  promptConnected: (name, account) => `${name} ist als ${account} verbunden`,

  promptPage: (name, host) => `${name} bittet Sie, ${host} zu besuchen`,
  openPage: (host) => `${host} öffnen`,
  pageDone: 'Erledigt',

  addServer: 'MCP-Server hinzufügen',
  addServerLabel: 'Server-URL oder mcpServers-JSON',
  addServerNext: 'Weiter',
  addServerAsk: (count) =>
    plural(count, {
      one: () => 'Diesen Server hinzufügen?',
      other: (n) => `${n} Server hinzufügen?`,
    }),
  addServerWarning:
    'Fügen Sie nur Server hinzu, denen Sie vertrauen. Deren Werkzeuge können in Ihrem Namen handeln.',
  addServerConfirm: 'Hinzufügen',
  registrations: 'App-Registrierungen',
  registrationsEmpty: 'Keine Registrierungen',
  registrationMethods: {
    'pre-registered': 'Vorab registriert',
    'metadata-document': 'Client-Metadatendokument',
    dynamic: 'Automatisch',
  },
  registrationExpires: (when) => `Geheimnis läuft ab: ${when}`,
  deleteRegistrationShort: 'Löschen',
  deleteRegistration: (host) => `Registrierung bei ${host} löschen`,

  spoken: {
    found: (count) => plural(count, { one: (n) => `${n} Treffer.`, other: (n) => `${n} Treffer.` }),
    connecting: (name) => `${name} wird verbunden.`,
    connected: (name, account) => `${name}: jetzt als ${account} verbunden.`,
    attention: (name, word) => `${name}: ${word}.`,
    windowClosed: (name) => `Das Fenster von ${name} wurde geschlossen.`,
    embedded: (name) => `${name}: Die Anmeldung klappt hier womöglich nicht.`,
    windowBlocked: (name) => `Das Pop-up von ${name} wurde blockiert.`,
    denied: (name) => `${name} wurde nicht verbunden.`,
    changed: (to) => `Sie haben sich als ${to} angemeldet.`,
    disconnectedAll: (count) =>
      plural(count, { one: (n) => `${n} Konto ist getrennt.`, other: (n) => `${n} Konten sind getrennt.` }),
    revoked: (name) => `${name} ist getrennt. Der Zugriff wurde widerrufen.`,
    removed: (name) => `${name} ist getrennt.`,
  },
}
