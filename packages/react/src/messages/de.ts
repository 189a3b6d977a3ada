'use client'
import type { Messages } from './messages.ts'
import { pluralOf } from './plural.ts'

const GOOGLE = 'https://www.googleapis.com/auth/'

const plural = pluralOf('de')
const list = new Intl.ListFormat('de')
const named = (name: string, account?: string) => `${name}${account ? ` (${account})` : ''}`

/** The sentences of what is shown only after a click. */
const onIntent = {
  addServerTaken: (name: string) => `Der Name ${name} ist vergeben. Geben Sie dem Server einen anderen.`,
  addServerGives: (name: string, place: string) => `${place} erhält Zugriff auf Ihr ${name}-Konto.`,
  serverKinds: {
    open: 'Ohne Anmeldung',
    headers: 'Mit eigenen Headern',
    command: 'Läuft neben dem Agenten',
  },
  deleteRegistrationTitle: (host: string) => `Registrierung bei ${host} löschen?`,
  deleteRegistrationBody: (host: string) =>
    `Sie müssen Konten von Servern, die sich bei ${host} anmelden, neu verbinden. Dabei wird diese App dort wieder registriert.`,
  accountsMenu: 'Konten',
  accountsMenuName: (names: string) =>
    names ? `Konten: Die nächste Nachricht nutzt ${names}` : 'Konten: Die nächste Nachricht nutzt keines',

  consentTitle: (name: string) => `Was darf Ihr Agent bei ${name}?`,
  consentBody: (name: string, account?: string) =>
    `${account ? `Sie geben ihm gleich mehr Zugriff auf ${account}. ` : ''}${name} bittet Sie noch um Bestätigung. Sie können den Zugriff jederzeit zurücknehmen.`,
  consentNeeded: 'Zum Verbinden nötig',
  consentGranted: 'Bereits erlaubt',
  consentChoice: 'Ihre Wahl',
  consentMore: 'Neu',
  consentNothing: 'Wählen Sie zuerst, was erlaubt sein soll.',
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
  rotateForm: (name: string, account: string) => `Schlüssel von ${account} bei ${name} ersetzen`,
  rotateHint: (account: string) => `Der Schlüssel von ${account} gilt weiter, bis der neue geprüft ist.`,
  rotateUnchecked: (name: string) =>
    `${name} konnte diesen Schlüssel gerade nicht prüfen, deshalb bleibt alles, wie es ist. Versuchen Sie es noch einmal.`,

  accountsMenuTitle: 'Für die nächste Nachricht',
  accountsMenuAvailable: 'Nicht verbunden',
  accountsMenuManage: 'Konten verwalten',

  clientIdTitle: (name: string) => `${name} braucht eine Client-ID`,
  clientIdBody: (host: string) =>
    `Registrieren Sie diese App bei ${host} mit der Rücksprungadresse unten, und geben Sie die Client-ID ein, die Sie dort erhalten.`,
  clientIdLabel: 'Client-ID',
  clientIdRedirect: 'Rücksprungadresse',
  clientIdMissing: 'Geben Sie die Client-ID ein.',
  clientIdWrong:
    'Eine Client-ID hat keine Zeilenumbrüche und keine unsichtbaren Zeichen. Kopieren Sie sie noch einmal.',
  clientIdUnreachable: (name: string) => `Der Anmeldeserver von ${name} war nicht erreichbar.`,
  copyShort: 'Kopieren',
  copied: 'Kopiert',
  registrationDeleted: (host: string) => `Die Registrierung bei ${host} ist gelöscht.`,
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
    'needs-reconnect': 'Neu verbinden',
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
    access_denied: (name) => `Sie haben bei ${name} abgelehnt.`,
    popup_blocked: () => 'Ihr Browser hat das Fenster blockiert.',
    popup_closed: () => 'Das Fenster scheint geschlossen zu sein.',
    embedded: (name) =>
      `Diese App ist in eine andere Seite eingebettet, deshalb kann ${name} sie womöglich nicht erreichen.`,
  },
  errors: {
    account_changed: (name) => `Sie haben sich bei ${name} mit einem anderen Konto angemeldet. Nichts wurde geändert.`,
    invalid_client: (name) => `${name} akzeptiert diese App nicht. Beheben kann das nur, wer sie entwickelt.`,
    invalid_grant: (name) => `${name} hat die Anmeldung nicht akzeptiert. Es wurde nichts verbunden.`,
    flow_lost: (name) => `Die Anmeldung bei ${name} ging auf dem Rückweg verloren. Es wurde nichts verbunden.`,
    flow_unknown: (name) => `Von ${name} kam eine Antwort, die Sie nicht angefordert haben. Es wurde nichts verbunden.`,
    insufficient_scope: (name) => `${name} hat nicht alles gewährt, worum gebeten wurde.`,
    invalid_scope: (name) => `${name} bietet den erbetenen Zugriff nicht an.`,
    invalid_token: (name) =>
      `${name} hat diesen Schlüssel nicht akzeptiert. Prüfen Sie, ob er vollständig kopiert ist.`,
    issuer_mismatch: (name) => `Die Antwort kam nicht von ${name}. Es wurde nichts verbunden.`,
    network: (name) => `${name} war nicht erreichbar. Prüfen Sie Ihre Verbindung, und versuchen Sie es noch einmal.`,
    server_error: (name) => `Bei ${name} gab es ein Problem. Versuchen Sie es gleich noch einmal.`,
    state_mismatch: (name) => `Die Antwort von ${name} gehörte nicht zu dieser Anmeldung. Es wurde nichts verbunden.`,
    temporarily_unavailable: (name) => `${name} ist gerade ausgelastet. Versuchen Sie es gleich noch einmal.`,
    timeout: (name) => `Die Anmeldung bei ${name} hat zu lange gedauert. Versuchen Sie es noch einmal.`,
  },
  custody: {
    sealed: 'In diesem Browser gespeichert, verschlüsselt.',
    plain: 'In diesem Browser gespeichert, nicht verschlüsselt.',
    session: 'In diesem Tab gespeichert, bis Sie ihn schließen.',
    memory: 'Nicht gespeichert: Ihre Konten sind weg, wenn Sie diese Seite schließen.',
    vault: 'Auf dem Server gespeichert, verschlüsselt.',
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
  notPersistentHint: 'Erlauben Sie dieser Website, Daten zu speichern, und laden Sie sie neu.',
  loadFailed: 'Dieser Teil konnte nicht geladen werden. Laden Sie neu, um es noch einmal zu versuchen.',
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
  addAnother: (name) => `Weiteres Konto bei ${name} hinzufügen`,
  sameAccount: (name, account) =>
    `${account} ist schon verbunden. Um ein weiteres Konto hinzuzufügen, melden Sie sich zuerst bei ${name} damit an.`,
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
  switcher: (name) => `Standardkonto bei ${name}`,
  accountCount: (count) => plural(count, { one: (n) => `${n} Konto`, other: (n) => `${n} Konten` }),
  detailsShort: 'Einzelheiten',
  details: (name, account) => `Einzelheiten zu ${named(name, account)}`,
  connectedAs: (account) => `Verbunden als ${account}`,
  can: (abilities) => `Kann ${abilities}`,
  canChange: 'Kann Änderungen vornehmen',
  partly: 'Etwas Zugriff fehlt',
  missing: (name) => `Bei ${name} nicht erlaubt:`,
  close: 'Schließen',
  grantShort: 'Zugriff erlauben',
  grant: (name, account) => `Zugriff bei ${named(name, account)} erlauben`,
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
  popupBlocked: 'Ihr Browser hat das Fenster blockiert.',
  openInNewTab: 'In neuem Tab öffnen',
  openInThisTab: 'In diesem Tab öffnen',
  copyLink: 'Link kopieren',
  linkCopied: 'Link kopiert. Öffnen Sie ihn in diesem Browser.',
  linkNotCopied: 'Der Link ließ sich nicht kopieren.',
  embedded: (name) =>
    `Haben Sie das Fenster geschlossen? Wenn nicht, erreicht ${name} diese App nicht, weil sie in eine andere Seite eingebettet ist.`,
  openOwnTab: 'App in eigenem Tab öffnen',
  denied: (name) => `Sie haben bei ${name} abgelehnt. Es wurde nichts verbunden.`,
  serverSaid: (name, detail) => `${name} meldet: „${detail}“`,
  notConfigured: 'Nicht eingerichtet',
  notConfiguredHint: (name) => `Diese App ist für ${name} noch nicht eingerichtet.`,

  apiKeyBadge: 'API-Schlüssel',
  access: (name) => `Was Ihr Agent bei ${name} darf`,
  sensitive: 'Heikel',
  expires: (when) => `Läuft ${when} ab`,
  expired: (when) => `${when} abgelaufen`,
  renews: (when) => `Wird ${when} automatisch erneuert`,
  renewsOnUse: 'Wird bei der nächsten Nutzung automatisch erneuert',
  endless: 'Bis Sie es trennen',

  factAccount: 'Konto',
  factSince: 'Verbunden',
  factUntil: 'Zugriff',
  factAccess: 'Erlaubt',
  factRead: 'Darf lesen',
  factChange: 'Darf ändern',
  factMissing: 'Nicht erlaubt',
  factId: 'Kennung',
  profile: (name) => `Profil bei ${name}`,
  technical: 'Technische Einzelheiten',
  rawScopes: (name) => `Scope-Namen bei ${name}`,
  extraScope: 'Nicht erbeten',

  keyForm: (name) => `${name} mit einem Schlüssel verbinden`,
  getApiKey: 'API-Schlüssel holen',
  keyFileHint: (file) =>
    `Fügen Sie den Schlüssel ein, oder fügen Sie die ganze ${file} ein oder ziehen Sie sie hierher.`,
  checking: 'Wird geprüft…',
  keyMissing: (label) => `Füllen Sie „${label}“ aus.`,
  keyUnprintable: (label) =>
    `In „${label}“ sind Zeilenumbrüche oder unsichtbare Zeichen. Kopieren Sie es noch einmal, und fügen Sie es unverändert ein.`,
  keyTooLong: (label) => `Das ist zu lang für „${label}“. Prüfen Sie, was Sie eingefügt haben.`,
  keyFileUnreadable: (file) =>
    `Das ist keine ${file} mit einem Schlüssel darin. Laden Sie sie noch einmal herunter, oder fügen Sie nur den Schlüssel ein.`,

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
      other: (n) => `Ihr Agent verliert sofort den Zugriff auf Ihre ${n} Konten.`,
    }),
  revoked: (name, tokens, account) => {
    const kinds = tokens.map((token) => (token === 'refresh_token' ? 'Refresh-Token' : 'Access-Token'))
    return `${account ? `${account}: ` : ''}Zugriff bei ${name} widerrufen${kinds.length > 0 ? ` (${list.format(kinds)})` : ''}.`
  },
  removedKey: (name, account) =>
    `Hier entfernt${account ? `: ${account}` : ''}. Der Schlüssel bleibt bei ${name} gültig, bis Sie ihn dort widerrufen.`,
  removed: (name, account) =>
    `Hier entfernt${account ? `: ${account}` : ''}. Bei ${name} bleibt der Zugriff womöglich gültig, bis Sie ihn dort widerrufen.`,
  removedUntold: (name, why, account) =>
    `Hier entfernt${account ? `: ${account}` : ''}. Der Zugriff konnte bei ${name} nicht widerrufen werden: ${why}`,
  removedPending: (name, account) =>
    `Hier getrennt${account ? `: ${account}` : ''}. Der Zugriff bei ${name} wird widerrufen, sobald ${name} wieder erreichbar ist.`,
  untoldNetwork: 'Die Verbindung kam nicht zustande.',
  untoldOther: 'Die Antwort war ein Fehler.',
  manage: (name) => `Bei ${name} widerrufen`,

  changedTitle: (to) => `Sie haben sich als ${to} angemeldet`,
  changed: (from, to) => `Sie haben sich als ${to} angemeldet, nicht als ${from}. Noch hat sich nichts geändert.`,
  changedBody: (from, to) =>
    `${from} war hier verbunden. Behalten Sie beide Konten, oder ersetzen Sie ${from} durch ${to}: ${from} wird dann getrennt.`,
  choose: 'Auswählen',
  keepBoth: 'Beide behalten',
  replace: (from) => `${from} ersetzen`,

  promptTitle: (name, tool) => (tool ? `Für ${tool} wird ${name} gebraucht` : `Zum Fortfahren wird ${name} gebraucht`),
  promptScopes: 'Erbeten wird:',
  pausedPrompt: 'Sie haben dieses Konto angehalten.',
  promptLaterShort: 'Nicht jetzt',
  promptLater: (name) => `Nicht jetzt: ${name}`,
  promptConnected: (name, account) => `${name} ist als ${account} verbunden`,

  promptPage: (name, host) => `${name} bittet Sie, ${host} zu besuchen`,
  openPage: (host) => `${host} öffnen`,
  pageDone: 'Das ist erledigt',

  addServer: 'MCP-Server hinzufügen',
  addServerLabel: 'URL oder mcpServers-JSON eines Agenten',
  addServerNext: 'Weiter',
  addServerAsk: (count) =>
    plural(count, {
      one: () => 'Diesen Server hinzufügen?',
      other: (n) => `Diese ${n} Server hinzufügen?`,
    }),
  addServerWarning:
    'Noch wurde nichts gesendet. Fügen Sie nur Server hinzu, denen Sie vertrauen: Deren Werkzeuge können alles tun, was Sie erlauben.',
  addServerConfirm: 'Hinzufügen',
  registrations: 'App-Registrierungen',
  registrationsEmpty: 'Diese App ist nirgends registriert.',
  registrationMethods: {
    'pre-registered': 'Vorab registriert',
    'metadata-document': 'Client-Metadatendokument',
    dynamic: 'Automatisch registriert',
  },
  registrationExpires: (when) => `Geheimnis läuft ab: ${when}`,
  deleteRegistrationShort: 'Löschen',
  deleteRegistration: (host) => `Registrierung bei ${host} löschen`,

  spoken: {
    found: (count) => plural(count, { one: (n) => `${n} Treffer.`, other: (n) => `${n} Treffer.` }),
    connecting: (name) => `${name} wird verbunden.`,
    connected: (name, account) => `${name}: jetzt als ${account} verbunden.`,
    attention: (name, word) => `${name}: ${word}.`,
    windowClosed: (name) => `Das Fenster von ${name} scheint geschlossen zu sein.`,
    embedded: (name) => `${name} erreicht diese App hier womöglich nicht.`,
    windowBlocked: (name) => `Das Fenster von ${name} wurde blockiert.`,
    denied: (name) => `${name} ist nicht verbunden.`,
    changed: (to) => `Sie haben sich als ${to} angemeldet.`,
    disconnectedAll: (count) =>
      plural(count, { one: (n) => `${n} Konto ist getrennt.`, other: (n) => `${n} Konten sind getrennt.` }),
    revoked: (name) => `${name} ist getrennt und der Zugriff widerrufen.`,
    removed: (name) => `${name} ist hier getrennt.`,
  },
}
