# Deutsch. Was jede Nachricht bedeutet, steht in en.ftl.

## All pages

page-foot = Anmeldung mit Vaultara
page-link-privacy = Datenschutz
page-link-terms = Nutzungsbedingungen
page-link-support = Hilfe
page-title-error = Fehler: { $title }

## Sign-in

login-page-title = Bei { $tenant } anmelden
login-title = Anmelden
login-client = weiter zu { $client }
login-username = Benutzername
login-password = Passwort
login-submit = Anmelden
login-wrong = Der Benutzername oder das Passwort ist nicht richtig.
login-incomplete = Geben Sie Ihren Benutzernamen und Ihr Passwort ein.
login-expired = Diese Seite war zu lange geöffnet. Bitte melden Sie sich noch einmal an.
login-busy = Gerade melden sich zu viele Menschen an. Versuchen Sie es gleich noch einmal.
login-throttled = Zu viele Versuche sind gescheitert. Warten Sie einen Moment und versuchen Sie es dann noch einmal.
login-notices = Hinweise
login-notice-warning = Wichtig:

## The choice of an account

choose-page-title = Konto bei { $tenant } auswählen
choose-title = Konto auswählen
choose-same = Weiter als { $name }
choose-other = Anderes Konto verwenden

## On the way back to an application

return-title = Zurück zu { $client }
return-lead = Sie kommen zurück zu { $client } …
return-submit = Weiter

## The landing page

home-page-title = Vaultara-Identitätsserver
home-title = Das ist ein Identitätsserver
home-lead = Anwendungen schicken Menschen hierher, damit sie sich anmelden, über OpenID Connect und OAuth 2.0.
home-setup = Er läuft, ist aber noch nicht eingerichtet. Rufen Sie { $command } auf, mit dem Geheimnis, das der Server beim ersten Start ausgegeben hat.
home-issuer = Aussteller
home-discovery = Discovery
home-keys = Schlüssel
home-health = Zustand
home-readiness = Bereitschaft

## Errors: what happened, by code

error-invalid_request = Diese Anfrage ist nicht zu verstehen
error-invalid_grant = Das gilt nicht mehr
error-invalid_scope = Der verlangte Zugriff ist nicht verfügbar
error-unauthorized_client = Die Anwendung darf das nicht
error-unsupported_grant_type = Die Art der Anfrage wird nicht unterstützt
error-unsupported_response_type = Die verlangte Art der Antwort wird nicht unterstützt
error-invalid_client = Die Anwendung wurde nicht erkannt
error-invalid_token = Dieser Zugriff gilt nicht mehr
error-insufficient_scope = Dieser Zugriff reicht nicht aus
error-denied = Das ist nicht erlaubt
error-license_limit = Eine Grenze ist erreicht
error-not_found = Hier ist nichts
error-method_not_allowed = Das geht hier nicht
error-request_timeout = Die Verbindung war zu langsam
error-already_exists = Das gibt es schon
error-conflict = Das passt nicht zum jetzigen Stand
error-gone = Das gibt es nicht mehr
error-stale = Das wurde inzwischen geändert
error-payload_too_large = Es wurde zu viel gesendet
error-uri_too_long = Die Adresse ist zu lang
error-unsupported_media_type = Das Gesendete ist hier nicht lesbar
error-rule_violated = Eine Regel lässt das nicht zu
error-protected = Das ist geschützt
error-idempotency_mismatch = Das wurde schon mit anderem Inhalt gesendet
error-precondition_required = Eine Bedingung fehlt
error-source_blocked = Der Zugang von dieser Adresse ist gesperrt
error-rate_limited = Es waren zu viele Versuche
error-headers_too_large = Der Browser hat zu viel gesendet
error-internal = Hier ist etwas schiefgegangen
error-unavailable = Das ist gerade nicht verfügbar
error-outcome_unknown = Es ist nicht bekannt, ob das ausgeführt wurde
error-timed_out = Das hat zu lange gedauert

## Errors: the cause, where it is known

error-cause-client = Die Anwendung, von der Sie kommen, ist diesem Server nicht bekannt.
error-cause-redirect-uri = Die Anwendung will die Antwort an einer Adresse, die für sie nicht eingetragen ist.
error-cause-page-expired = Die Anmeldeseite war zu lange geöffnet.
error-cause-other-browser = Die Anmeldeseite wurde nicht von diesem Browser geöffnet, oder Cookies sind ausgeschaltet.
error-cause-other-site = Das Formular kam von einer anderen Website.
error-cause-form = Das Formular ist zu alt oder wurde in einer anderen Sitzung geöffnet.

## Errors: what to do

error-advice-again = Gehen Sie zurück zur Anwendung und beginnen Sie noch einmal. Wenn es wieder geschieht, sagen Sie es denen, die die Anwendung betreiben.
error-advice-wait = Warten Sie einen Moment und versuchen Sie es noch einmal.
error-advice-blocked = Wenn das ein Irrtum ist, wenden Sie sich an die Betreiber der Anwendung.
error-advice-tell = Versuchen Sie es noch einmal. Wenn es wieder geschieht, sagen Sie es denen, die diesen Server betreiben.

## Errors: for whoever helps

error-code = Fehler
error-details = Einzelheiten
error-request = Anfrage
error-hint = Wenn Sie um Hilfe bitten, schicken Sie diese Angaben mit.

## Consent

consent-title = { $client } bittet um Zugriff
consent-account = Angemeldet als { $account }
consent-scopes = Die Anwendung möchte
consent-allow = Erlauben
consent-deny = Ablehnen
consent-hint = Sie können das jederzeit in Ihrem Konto zurücknehmen.

## What an application may do, by scope

scope = einen Zugriff nutzen, genannt
scope-openid = bestätigt bekommen, wer Sie sind
scope-profile = Ihren Namen und die anderen Angaben Ihres Profils sehen
scope-email = Ihre E-Mail-Adresse sehen
scope-phone = Ihre Telefonnummer sehen
scope-address = Ihre Postanschrift sehen
scope-offline_access = den Zugriff behalten, während Sie nicht da sind

## Sign-out

logout-title = Möchten Sie sich abmelden?
logout-lead = Sie sind angemeldet als { $account }.
logout-client = { $client } hat darum gebeten.
logout-confirm = Abmelden
logout-stay = Angemeldet bleiben
logged-out-title = Sie sind abgemeldet
logged-out-lead = Sie können dieses Fenster schließen.
logged-out-back = Zurück zu { $client }
logged-out-frame = Abmeldung bei einer Anwendung

## A person's own account

own-account-page-title = Ihr Konto bei { $tenant }
own-account-title = Ihr Konto
account-lead = Angemeldet als { $account }
account-sign-out = Abmelden
account-done-profile = Ihr Profil wurde gespeichert.
account-done-password = Ihr Passwort wurde geändert. Andere Sitzungen wurden abgemeldet.
account-done-session = Die Sitzung wurde beendet.
account-done-consent = Der Zugriff wurde zurückgenommen.
account-done-elsewhere = Sie wurden überall sonst abgemeldet.
account-profile = Profil
account-profile-about = Was Anwendungen über Sie erfahren, wenn Sie es erlauben.
account-profile-yes = Ja
account-profile-no = Nein
account-profile-save = Speichern
account-profile-email = Das ist keine E-Mail-Adresse.
account-profile-unfit = Das ist zu lang oder enthält Zeichen, die nicht hierher gehören.
account-claim-name = Vollständiger Name
account-claim-given-name = Vorname
account-claim-family-name = Nachname
account-claim-nickname = Rufname
account-claim-email = E-Mail-Adresse
account-claim-phone-number = Telefonnummer
account-claim-middle-name = Weitere Vornamen
account-claim-gender = Geschlecht
account-claim-birthdate = Geburtsdatum
account-claim-locale = Sprache und Region
account-claim-zoneinfo = Zeitzone
account-password = Passwort
account-password-about = Wenn Sie es ändern, werden Sie überall sonst abgemeldet.
account-password-current = Jetziges Passwort
account-password-new = Neues Passwort
account-password-again = Neues Passwort noch einmal
account-password-help = Mindestens { $least } Zeichen. Einige Wörter, die nur für Sie zusammengehören, sind leicht zu merken und schwer zu erraten.
account-password-save = Passwort ändern
account-password-wrong = Das jetzige Passwort ist nicht richtig.
account-password-short = Das neue Passwort braucht mindestens { $least } Zeichen.
account-password-common = Das neue Passwort gehört zu denen, die zuerst geraten werden. Wählen Sie ein anderes.
account-password-long = Das neue Passwort ist zu lang.
account-password-control = Das neue Passwort enthält Zeichen, die sich nicht überall eingeben lassen. Wählen Sie ein anderes.
account-password-holds-username = Das neue Passwort darf Ihren Benutzernamen nicht enthalten.
account-password-holds-email = Das neue Passwort darf Ihre E-Mail-Adresse nicht enthalten.
account-password-holds-tenant = Das neue Passwort darf den Namen dieser Organisation nicht enthalten.
account-password-holds-product = Das neue Passwort darf den Namen dieses Produkts nicht enthalten.
account-password-incomplete = Füllen Sie alle drei Felder aus.
account-password-different = Die beiden neuen Passwörter sind nicht gleich.
account-sessions = Wo Sie angemeldet sind
account-sessions-about = Wenn Sie eine Sitzung nicht erkennen, beenden Sie sie und ändern Sie Ihr Passwort.
account-session-current = dieser Browser
account-session-address = Von { $address }
account-session-since = Angemeldet am { $time }
account-session-seen = Zuletzt genutzt am { $time }
account-session-end = Sitzung beenden
account-sign-out-everywhere = Überall sonst abmelden
account-sign-out-everywhere-about = Auch Anwendungen, die in Ihrer Abwesenheit verbunden bleiben, werden abgemeldet.
account-device = { $browser } auf { $system }
account-device-unknown = Unbekanntes Gerät
account-consents = Anwendungen mit Zugriff
account-consents-about = Diesen Anwendungen haben Sie erlaubt, für Sie zu handeln.
account-consents-none = Sie haben keiner Anwendung erlaubt, für Sie zu handeln.
account-consent-since = Erlaubt am { $time }
account-consent-revoke = Zurücknehmen

## Points in time

moment = { $day }. { month } { $year }, { $hour }:{ $minute } Uhr UTC
month = { $month ->
        [1] Januar
        [2] Februar
        [3] März
        [4] April
        [5] Mai
        [6] Juni
        [7] Juli
        [8] August
        [9] September
        [10] Oktober
        [11] November
       *[12] Dezember
    }
