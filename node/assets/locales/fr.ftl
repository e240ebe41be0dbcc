# Français. Le sens de chaque message est dans en.ftl.

## All pages

page-foot = Identité par Vaultara
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

## Errors: what to do

error-advice-again = Retournez à l’application et recommencez. Si cela se reproduit, prévenez les responsables de l’application.
error-advice-wait = Attendez un instant et réessayez.
error-advice-tell = Réessayez. Si cela se reproduit, prévenez les responsables de ce serveur.

## Errors: for whoever helps

error-code = Erreur
error-details = Détails
error-request = Demande
error-hint = Si vous demandez de l’aide, joignez ces informations.
