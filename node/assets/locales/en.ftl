# Every text that people read on a page of Vaultara.
# All languages have the same messages with the same arguments; a test compares them.

## All pages

page-foot = Identity by Vaultara
page-title-error = Error: { $title }

## Sign-in

login-page-title = Sign in to { $tenant }
login-title = Sign in
login-client = to continue to { $client }
login-username = User name
login-password = Password
login-submit = Sign in
login-wrong = The user name or the password is not correct.
login-incomplete = Enter your user name and your password.
login-expired = This page was open for too long. Please sign in again.
login-busy = Too many people are signing in right now. Try again in a moment.

## On the way back to an application

return-title = Returning to { $client }
return-lead = Taking you back to { $client }…
return-submit = Continue

## The landing page

home-page-title = Vaultara identity server
home-title = This is an identity server
home-lead = Applications send people here to sign in, over OpenID Connect and OAuth 2.0.
home-setup = It is running, but it has not been set up yet. Run { $command } with the bootstrap secret that the server printed at its first start.
home-issuer = Issuer
home-discovery = Discovery
home-keys = Keys
home-health = Health
home-readiness = Readiness

## Errors: what happened, by code

error-invalid_request = This request cannot be understood
error-invalid_grant = This is no longer valid
error-invalid_scope = The requested access is not available
error-unauthorized_client = The application may not do this
error-unsupported_grant_type = The application asked in a way that is not supported
error-unsupported_response_type = The application asked for an answer that is not supported
error-invalid_client = The application was not recognized
error-invalid_token = This access is no longer valid
error-insufficient_scope = This access does not reach far enough
error-denied = This is not allowed
error-license_limit = A limit is reached
error-not_found = There is nothing here
error-method_not_allowed = This cannot be done here
error-request_timeout = The connection was too slow
error-already_exists = It exists already
error-conflict = This does not fit the present state
error-gone = This is no longer available
error-stale = It was changed in the meantime
error-payload_too_large = Too much was sent
error-uri_too_long = The address is too long
error-unsupported_media_type = What was sent cannot be read here
error-rule_violated = A rule does not allow this
error-protected = This is protected
error-idempotency_mismatch = This was already sent with other contents
error-precondition_required = A condition is missing
error-rate_limited = There were too many attempts
error-headers_too_large = The browser sent too much
error-internal = Something went wrong here
error-unavailable = This is not available right now
error-outcome_unknown = It is not known whether this was done
error-timed_out = This took too long

## Errors: the cause, where it is known

error-cause-client = The application that sent you here is not known to this server.
error-cause-redirect-uri = The application wants to be answered at an address that is not registered for it.
error-cause-page-expired = The sign-in page was open for too long.
error-cause-other-browser = The sign-in page was not opened by this browser, or cookies are switched off.
error-cause-other-site = The form was sent by another site.

## Errors: what to do

error-advice-again = Go back to the application and start again. If it happens again, tell the people who run the application.
error-advice-wait = Wait a moment and try again.
error-advice-tell = Try again. If it happens again, tell the people who run this server.

## Errors: for whoever helps

error-code = Error
error-details = Details
error-request = Request
error-hint = If you ask for help, send these values along.
