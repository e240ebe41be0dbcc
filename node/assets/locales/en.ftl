# Every text that people read on a page of Vaultara.
# All languages have the same messages with the same arguments; a test compares them.

## All pages

page-foot = Identity by Vaultara
page-link-privacy = Privacy
page-link-terms = Terms of use
page-link-support = Help
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
login-throttled = Too many attempts failed. Wait a moment, then try again.
login-notices = Notices
login-notice-warning = Important:

## The choice of an account

choose-page-title = Choose an account at { $tenant }
choose-title = Choose an account
choose-same = Continue as { $name }
choose-other = Use another account

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
error-source_blocked = Access from this address is blocked
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
error-cause-form = The form is too old, or it was opened in another session.

## Errors: what to do

error-advice-again = Go back to the application and start again. If it happens again, tell the people who run the application.
error-advice-wait = Wait a moment and try again.
error-advice-blocked = If that is a mistake, tell the people who run the application.
error-advice-tell = Try again. If it happens again, tell the people who run this server.

## Errors: for whoever helps

error-code = Error
error-details = Details
error-request = Request
error-hint = If you ask for help, send these values along.

## Consent

consent-title = { $client } asks for access
consent-account = Signed in as { $account }
consent-scopes = It would like to
consent-allow = Allow
consent-deny = Deny
consent-hint = You can take this back at any time in your account.

## What an application may do, by scope

scope = use the access named
scope-openid = confirm who you are
scope-profile = see your name and the other facts of your profile
scope-email = see your e-mail address
scope-phone = see your phone number
scope-address = see your postal address
scope-offline_access = keep this access while you are not there

## Sign-out

logout-title = Do you want to sign out?
logout-lead = You are signed in as { $account }.
logout-client = { $client } asked for it.
logout-confirm = Sign out
logout-stay = Stay signed in
logged-out-title = You are signed out
logged-out-lead = You can close this window.
logged-out-back = Back to { $client }
logged-out-frame = Sign-out of an application

## A person's own account

own-account-page-title = Your account at { $tenant }
own-account-title = Your account
account-lead = Signed in as { $account }
account-sign-out = Sign out
account-done-profile = Your profile was saved.
account-done-password = Your password was changed. Other sessions were signed out.
account-done-session = The session was ended.
account-done-consent = The access was taken back.
account-done-elsewhere = You were signed out everywhere else.
account-profile = Profile
account-profile-about = What applications learn about you when you let them.
account-profile-yes = Yes
account-profile-no = No
account-profile-save = Save
account-profile-email = This is not an e-mail address.
account-profile-unfit = This is too long, or holds characters that do not belong here.
account-claim-name = Full name
account-claim-given-name = First name
account-claim-family-name = Last name
account-claim-nickname = Nickname
account-claim-email = E-mail address
account-claim-phone-number = Phone number
account-claim-middle-name = Middle name
account-claim-gender = Gender
account-claim-birthdate = Date of birth
account-claim-locale = Language and region
account-claim-zoneinfo = Time zone
account-password = Password
account-password-about = When you change it, you are signed out everywhere else.
account-password-current = Current password
account-password-new = New password
account-password-again = New password again
account-password-help = At least { $least } characters. A few words that belong together only for you are easy to remember and hard to guess.
account-password-save = Change password
account-password-wrong = The current password is not correct.
account-password-short = The new password needs at least { $least } characters.
account-password-common = The new password is one of those that are guessed first. Choose another.
account-password-long = The new password is too long.
account-password-control = The new password holds characters that cannot be typed everywhere. Choose another.
account-password-holds-username = The new password must not hold your user name.
account-password-holds-email = The new password must not hold your e-mail address.
account-password-holds-tenant = The new password must not hold the name of this organization.
account-password-holds-product = The new password must not hold the name of this product.
account-password-incomplete = Fill in all three fields.
account-password-different = The two new passwords are not the same.
account-sessions = Where you are signed in
account-sessions-about = If you do not recognize a session, end it and change your password.
account-session-current = this browser
account-session-address = From { $address }
account-session-since = Signed in { $time }
account-session-seen = Last used { $time }
account-session-end = End session
account-sign-out-everywhere = Sign out everywhere else
account-sign-out-everywhere-about = Applications that stay connected while you are away are signed out as well.
account-device = { $browser } on { $system }
account-device-unknown = Unknown device
account-consents = Applications with access
account-consents-about = You allowed these applications to act for you.
account-consents-none = You have not allowed any application to act for you.
account-consent-since = Allowed { $time }
account-consent-revoke = Take back

## Points in time

moment = { $day } { month } { $year }, { $hour }:{ $minute } UTC
month = { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    }
