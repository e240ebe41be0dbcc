# Français. Le sens de chaque message est dans en.ftl.

## All pages

page-foot = Identité par Vaultara
page-link-privacy = Confidentialité
page-link-terms = Conditions d’utilisation
page-link-support = Aide
page-title-error = Erreur : { $title }

## Sign-in

login-page-title = Se connecter à { $tenant }
login-title = Connexion
login-client = pour continuer vers { $client }
login-username = Nom d’utilisateur
login-password = Mot de passe
login-submit = Se connecter
login-wrong = Le nom d’utilisateur ou le mot de passe est incorrect.
login-incomplete = Saisissez votre nom d’utilisateur et votre mot de passe.
login-expired = Cette page est restée ouverte trop longtemps. Veuillez vous reconnecter.
login-busy = Trop de personnes se connectent en ce moment. Réessayez dans un instant.
login-throttled = Trop de tentatives ont échoué. Attendez un instant, puis réessayez.
login-notices = Annonces
login-notice-warning = Important :

## The choice of an account

choose-page-title = Choisir un compte chez { $tenant }
choose-title = Choisir un compte
choose-same = Continuer en tant que { $name }
choose-other = Utiliser un autre compte

## On the way back to an application

return-title = Retour vers { $client }
return-lead = Nous vous ramenons vers { $client }…
return-submit = Continuer

## The landing page

home-page-title = Serveur d’identité Vaultara
home-title = Ceci est un serveur d’identité
home-lead = Les applications envoient ici les personnes qui se connectent, avec OpenID Connect et OAuth 2.0.
home-setup = Il fonctionne, mais il n’est pas encore configuré. Lancez { $command } avec le secret que le serveur a affiché à son premier démarrage.
home-issuer = Émetteur
home-discovery = Découverte
home-keys = Clés
home-health = État
home-readiness = Disponibilité

## Errors: what happened, by code

error-invalid_request = Cette demande est incompréhensible
error-invalid_grant = Ceci n’est plus valable
error-invalid_scope = L’accès demandé n’est pas disponible
error-unauthorized_client = L’application n’a pas ce droit
error-unsupported_grant_type = Ce type de demande n’est pas pris en charge
error-unsupported_response_type = Ce type de réponse n’est pas pris en charge
error-invalid_client = L’application n’a pas été reconnue
error-invalid_token = Cet accès n’est plus valable
error-insufficient_scope = Cet accès n’est pas suffisant
error-denied = Ceci n’est pas autorisé
error-license_limit = Une limite est atteinte
error-not_found = Il n’y a rien ici
error-method_not_allowed = Ceci n’est pas possible ici
error-request_timeout = La connexion était trop lente
error-already_exists = Ceci existe déjà
error-conflict = Ceci ne correspond pas à l’état actuel
error-gone = Ceci n’est plus disponible
error-stale = Ceci a changé entre-temps
error-payload_too_large = L’envoi est trop volumineux
error-uri_too_long = L’adresse est trop longue
error-unsupported_media_type = Ce contenu ne peut pas être lu ici
error-rule_violated = Une règle ne le permet pas
error-protected = Ceci est protégé
error-idempotency_mismatch = Ceci a déjà été envoyé avec un autre contenu
error-precondition_required = Il manque une condition
error-source_blocked = L’accès depuis cette adresse est bloqué
error-rate_limited = Il y a eu trop de tentatives
error-headers_too_large = Le navigateur a trop envoyé
error-internal = Une erreur s’est produite ici
error-unavailable = Ceci n’est pas disponible pour le moment
error-outcome_unknown = On ne sait pas si cela a été fait
error-timed_out = Cela a pris trop de temps

## Errors: the cause, where it is known

error-cause-client = L’application qui vous a envoyé ici n’est pas connue de ce serveur.
error-cause-redirect-uri = L’application demande une réponse à une adresse qui n’est pas enregistrée pour elle.
error-cause-page-expired = La page de connexion est restée ouverte trop longtemps.
error-cause-other-browser = La page de connexion n’a pas été ouverte par ce navigateur, ou les cookies sont désactivés.
error-cause-other-site = Le formulaire vient d’un autre site.
error-cause-form = Le formulaire est trop ancien ou a été ouvert dans une autre session.

## Errors: what to do

error-advice-again = Retournez à l’application et recommencez. Si cela se reproduit, prévenez les responsables de l’application.
error-advice-wait = Attendez un instant et réessayez.
error-advice-blocked = Si c’est une erreur, adressez-vous aux responsables de l’application.
error-advice-tell = Réessayez. Si cela se reproduit, prévenez les responsables de ce serveur.

## Errors: for whoever helps

error-code = Erreur
error-details = Détails
error-request = Demande
error-hint = Si vous demandez de l’aide, joignez ces informations.

## Consent

consent-title = { $client } demande un accès
consent-account = Connecté en tant que { $account }
consent-scopes = L’application souhaite
consent-allow = Autoriser
consent-deny = Refuser
consent-hint = Vous pouvez revenir sur ce choix à tout moment dans votre compte.

## What an application may do, by scope

scope = utiliser l’accès nommé
scope-openid = confirmer qui vous êtes
scope-profile = voir votre nom et les autres informations de votre profil
scope-email = voir votre adresse e-mail
scope-phone = voir votre numéro de téléphone
scope-address = voir votre adresse postale
scope-offline_access = garder cet accès en votre absence

## Sign-out

logout-title = Voulez-vous vous déconnecter ?
logout-lead = Vous êtes connecté en tant que { $account }.
logout-client = { $client } l’a demandé.
logout-confirm = Se déconnecter
logout-stay = Rester connecté
logged-out-title = Vous êtes déconnecté
logged-out-lead = Vous pouvez fermer cette fenêtre.
logged-out-back = Retour vers { $client }
logged-out-frame = Déconnexion d’une application

## A person's own account

own-account-page-title = Votre compte chez { $tenant }
own-account-title = Votre compte
account-lead = Connecté en tant que { $account }
account-sign-out = Se déconnecter
account-done-profile = Votre profil a été enregistré.
account-done-password = Votre mot de passe a été changé. Les autres sessions ont été déconnectées.
account-done-session = La session a été fermée.
account-done-consent = L’accès a été retiré.
account-done-elsewhere = Vous avez été déconnecté partout ailleurs.
account-profile = Profil
account-profile-about = Ce que les applications apprennent de vous quand vous le permettez.
account-profile-yes = Oui
account-profile-no = Non
account-profile-save = Enregistrer
account-profile-email = Ce n’est pas une adresse e-mail.
account-profile-unfit = C’est trop long, ou contient des caractères qui n’ont pas leur place ici.
account-claim-name = Nom complet
account-claim-given-name = Prénom
account-claim-family-name = Nom de famille
account-claim-nickname = Surnom
account-claim-email = Adresse e-mail
account-claim-phone-number = Numéro de téléphone
account-claim-middle-name = Autres prénoms
account-claim-gender = Genre
account-claim-birthdate = Date de naissance
account-claim-locale = Langue et région
account-claim-zoneinfo = Fuseau horaire
account-password = Mot de passe
account-password-about = Si vous le changez, vous serez déconnecté partout ailleurs.
account-password-current = Mot de passe actuel
account-password-new = Nouveau mot de passe
account-password-again = Nouveau mot de passe, encore une fois
account-password-help = Au moins { $least } caractères. Quelques mots qui ne vont ensemble que pour vous sont faciles à retenir et difficiles à deviner.
account-password-save = Changer le mot de passe
account-password-wrong = Le mot de passe actuel est incorrect.
account-password-short = Le nouveau mot de passe doit avoir au moins { $least } caractères.
account-password-common = Le nouveau mot de passe est de ceux que l’on devine en premier. Choisissez-en un autre.
account-password-long = Le nouveau mot de passe est trop long.
account-password-control = Le nouveau mot de passe contient des caractères qui ne peuvent pas être saisis partout. Choisissez-en un autre.
account-password-holds-username = Le nouveau mot de passe ne doit pas contenir votre nom d’utilisateur.
account-password-holds-email = Le nouveau mot de passe ne doit pas contenir votre adresse e-mail.
account-password-holds-tenant = Le nouveau mot de passe ne doit pas contenir le nom de cette organisation.
account-password-holds-product = Le nouveau mot de passe ne doit pas contenir le nom de ce produit.
account-password-incomplete = Remplissez les trois champs.
account-password-different = Les deux nouveaux mots de passe ne sont pas identiques.
account-sessions = Où vous êtes connecté
account-sessions-about = Si vous ne reconnaissez pas une session, fermez-la et changez votre mot de passe.
account-session-current = ce navigateur
account-session-address = Depuis { $address }
account-session-since = Connecté le { $time }
account-session-seen = Dernière utilisation le { $time }
account-session-end = Fermer la session
account-sign-out-everywhere = Se déconnecter partout ailleurs
account-sign-out-everywhere-about = Les applications qui restent connectées en votre absence sont déconnectées aussi.
account-device = { $browser } sur { $system }
account-device-unknown = Appareil inconnu
account-consents = Applications ayant un accès
account-consents-about = Vous avez permis à ces applications d’agir pour vous.
account-consents-none = Vous n’avez permis à aucune application d’agir pour vous.
account-consent-since = Autorisé le { $time }
account-consent-revoke = Retirer l’accès

## Points in time

moment = { $day ->
        [1] 1er
       *[other] { $day }
    } { month } { $year } à { $hour }:{ $minute } UTC
month = { $month ->
        [1] janvier
        [2] février
        [3] mars
        [4] avril
        [5] mai
        [6] juin
        [7] juillet
        [8] août
        [9] septembre
        [10] octobre
        [11] novembre
       *[12] décembre
    }
