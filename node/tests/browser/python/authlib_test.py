"""authlib, unmodified, against the demo tenant of a running node: a Flask application that signs people
in, and the library's plain client for everything after that.

authlib.test.mjs runs it; VAULTARA_URL is the node.
"""

import os
import secrets
import unittest
import warnings
from urllib.parse import urlsplit

# Development mode speaks plain http on loopback; libraries want to be told that this is meant.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc import rpinitiated
from authlib.oidc.core import UserInfo
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask import Flask, session
from joserfc import jwk, jwt
from people import ALICE, Form, sign_in

ISSUER = f"{os.environ['VAULTARA_URL']}/t/demo"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
WEB = {"client_id": "web-demo", "client_secret": "web-demo-secret-for-development-only"}
SERVICE = {"client_id": "service-demo", "client_secret": "service-demo-secret-for-development-only"}
HOME = "http://localhost:3000"
CALLBACK = f"{HOME}/callback"
GOODBYE = f"{HOME}/goodbye"
SCOPE = "openid profile email"


def metadata():
    return requests.get(DISCOVERY).json()


def application():
    """A web application as authlib's documentation builds one."""
    app = Flask("application")
    app.secret_key = secrets.token_hex()
    oauth = OAuth(app)
    oauth.register(
        "vaultara",
        **WEB,
        server_metadata_url=DISCOVERY,
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_post",
        },
    )

    @app.get("/login")
    def login():
        return oauth.vaultara.authorize_redirect(CALLBACK)

    @app.get("/callback")
    def callback():
        token = oauth.vaultara.authorize_access_token()
        session["id_token"] = token["id_token"]
        return {"token": token, "userinfo": oauth.vaultara.userinfo(token=token)}

    @app.get("/logout")
    def logout():
        return oauth.vaultara.logout_redirect(GOODBYE, id_token_hint=session.pop("id_token"))

    @app.get("/goodbye")
    def goodbye():
        return oauth.vaultara.validate_logout_response()

    @app.errorhandler(OAuthError)
    def refused(error):
        return {"error": error.error}, 400

    return app, oauth


def tokens_of_a_sign_in():
    """What the application of `application` has after a sign-in."""
    app, _ = application()
    browser = app.test_client()
    there = browser.get("/login", base_url=HOME).location
    answer = browser.get(sign_in(there), base_url=HOME)
    assert answer.status_code == 200, answer.text
    return answer.json["token"]


def plain_client(token=None, **more):
    return OAuth2Session(
        **WEB,
        token=token,
        token_endpoint=metadata()["token_endpoint"],
        token_endpoint_auth_method="client_secret_post",
        revocation_endpoint_auth_method="client_secret_post",
        **more,
    )


def validated(token, nonce):
    """The claims of an ID token, checked by the library against the published keys."""
    app, oauth = application()
    with app.app_context():
        return oauth.vaultara.parse_id_token(token, nonce=nonce)


class Authlib(unittest.TestCase):
    def test_the_metadata_is_what_the_specification_wants(self):
        found = OpenIDProviderMetadata(metadata())
        found.validate(metadata_classes=[rpinitiated.OpenIDProviderMetadata])
        self.assertEqual(found.issuer, ISSUER)

    def test_a_flask_application_signs_a_person_in(self):
        app, _ = application()
        browser = app.test_client()
        there = browser.get("/login", base_url=HOME).location
        self.assertTrue(there.startswith(metadata()["authorization_endpoint"]), there)
        self.assertIn("code_challenge_method=S256", there)
        back = sign_in(there)
        self.assertEqual(back.split("?")[0], CALLBACK)
        answer = browser.get(back, base_url=HOME)
        self.assertEqual(answer.status_code, 200, answer.text)
        claims, userinfo = answer.json["token"]["userinfo"], answer.json["userinfo"]
        self.assertEqual((claims["iss"], claims["aud"]), (ISSUER, WEB["client_id"]))
        self.assertEqual(claims["sub"], userinfo["sub"])
        self.assertEqual(userinfo["preferred_username"], ALICE["username"])
        self.assertTrue(UserInfo(userinfo)["email_verified"])
        # The same answer a second time is nobody's.
        self.assertEqual(browser.get(back, base_url=HOME).status_code, 400)

    def test_a_flask_application_signs_a_person_out(self):
        app, _ = application()
        at_home, browser = app.test_client(), requests.Session()
        there = at_home.get("/login", base_url=HOME).location
        answer = at_home.get(sign_in(there, browser), base_url=HOME)
        out = at_home.get("/logout", base_url=HOME).location
        back = browser.get(out, allow_redirects=False)
        self.assertEqual(back.status_code, 303, back.text)
        self.assertEqual(back.headers["location"].split("?")[0], GOODBYE)
        goodbye = at_home.get(back.headers["location"], base_url=HOME)
        self.assertEqual(goodbye.json["post_logout_redirect_uri"], GOODBYE)
        with plain_client(answer.json["token"]) as client:
            self.assertEqual(client.get(metadata()["userinfo_endpoint"]).status_code, 401)
        # The next sign-in asks for the password again.
        self.assertEqual(Form(browser.get(there).text).action, "/t/demo/login")

    def test_a_person_who_goes_back_is_an_error_to_the_application(self):
        app, _ = application()
        browser = app.test_client()
        there = browser.get("/login", base_url=HOME).location
        answer = requests.get(f"{there}&prompt=none", allow_redirects=False)
        answer = browser.get(answer.headers["location"], base_url=HOME)
        self.assertEqual((answer.status_code, answer.json), (400, {"error": "login_required"}))

    def test_an_id_token_is_checked_against_the_published_keys(self):
        token = tokens_of_a_sign_in()
        nonce = token["userinfo"]["nonce"]
        self.assertEqual(validated(token, nonce)["sub"], token["userinfo"]["sub"])
        head, claims, signature = token["id_token"].split(".")
        altered = signature[:-8] + ("A" * 8 if signature[-8:] != "A" * 8 else "B" * 8)
        for wrong in (
            ({**token, "id_token": f"{head}.{claims}.{altered}"}, nonce),
            (token, "another nonce"),
            ({**token, "access_token": "another"}, nonce),
        ):
            with self.assertRaises(Exception):
                validated(*wrong)

    def test_a_refresh_brings_new_tokens_for_the_same_person(self):
        first = tokens_of_a_sign_in()
        with plain_client(first) as client:
            second = client.refresh_token(client.metadata["token_endpoint"])
            self.assertNotEqual(second["refresh_token"], first["refresh_token"])
            self.assertNotEqual(second["access_token"], first["access_token"])
            self.assertEqual(validated(second, None)["sub"], first["userinfo"]["sub"])
            answer = client.get(metadata()["userinfo_endpoint"])
            self.assertEqual(answer.json()["preferred_username"], ALICE["username"])

    def test_an_expired_token_is_refreshed_by_the_library(self):
        kept = []
        first = {**tokens_of_a_sign_in(), "expires_at": 1}
        keep = lambda token, **_: kept.append(token)
        with plain_client(first, update_token=keep) as client:
            answer = client.get(metadata()["userinfo_endpoint"])
            self.assertEqual(answer.json()["sub"], first["userinfo"]["sub"])
        self.assertEqual(len(kept), 1)
        self.assertNotEqual(kept[0]["access_token"], first["access_token"])

    def test_a_revoked_token_is_dead(self):
        token = tokens_of_a_sign_in()
        found = metadata()
        with plain_client(token) as client:
            introspect = lambda: client.introspect_token(
                found["introspection_endpoint"], token=token["access_token"]
            ).json()
            self.assertTrue(introspect()["active"])
            answer = client.revoke_token(
                found["revocation_endpoint"], token=token["refresh_token"], token_type_hint="refresh_token"
            )
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(introspect(), {"active": False})
            self.assertEqual(client.get(found["userinfo_endpoint"]).status_code, 401)
            with self.assertRaises(OAuthError) as refused:
                client.refresh_token(found["token_endpoint"])
            self.assertEqual(refused.exception.error, "invalid_grant")

    def test_a_native_application_needs_no_secret(self):
        found, verifier = metadata(), secrets.token_urlsafe(48)
        with OAuth2Session(
            "native-demo",
            scope=SCOPE,
            redirect_uri="http://127.0.0.1:49152/callback",
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
        ) as client:
            there, _ = client.create_authorization_url(
                found["authorization_endpoint"], code_verifier=verifier
            )
            back = sign_in(there)
            self.assertEqual(urlsplit(back).port, 49152)
            token = client.fetch_token(
                found["token_endpoint"], authorization_response=back, code_verifier=verifier
            )
            self.assertEqual(token["token_type"].lower(), "bearer")
            answer = client.get(found["userinfo_endpoint"])
            self.assertEqual(answer.json()["preferred_username"], ALICE["username"])

    def test_a_service_gets_a_token_of_its_own(self):
        found = metadata()
        with OAuth2Session(**SERVICE, scope="read") as client:
            token = client.fetch_token(found["token_endpoint"], grant_type="client_credentials")
        keys = jwk.KeySet.import_key_set(requests.get(found["jwks_uri"]).json())
        access = jwt.decode(token["access_token"], keys, algorithms=["ES256"])
        self.assertEqual(access.header["typ"], "at+jwt")
        self.assertEqual((access.claims["iss"], access.claims["scope"]), (ISSUER, "read"))
        self.assertEqual(access.claims["client_id"], SERVICE["client_id"])
        with OAuth2Session(SERVICE["client_id"], "wrong") as client:
            with self.assertRaises(OAuthError) as refused:
                client.fetch_token(found["token_endpoint"], grant_type="client_credentials")
        self.assertEqual(refused.exception.error, "invalid_client")


if __name__ == "__main__":
    # A warning of the library is a change to come, not a failure.
    warnings.simplefilter("ignore", DeprecationWarning)
    unittest.main(verbosity=2)
