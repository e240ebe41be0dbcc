"""A person with a browser, as far as forms go: what the tests of different libraries share."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

ALICE = {"username": "alice", "password": "correct horse battery staple"}


class Form(HTMLParser):
    """The first form of a page: where it goes and what it holds."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes["action"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes.get("value") or ""


def send(browser, page, fields):
    """Sends the form of a page, filled in."""
    assert page.status_code == 200, page.text
    form = Form(page.text)
    return browser.post(urljoin(page.url, form.action), {**form.fields, **fields}, allow_redirects=False)


def led_away(answer):
    """Where an answer leads."""
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def sign_in(authorization_url, browser=None):
    """Signs Alice in, with a new browser unless one is given, and returns where she is sent to."""
    browser = browser or requests.Session()
    return led_away(send(browser, browser.get(authorization_url), ALICE))


def sign_in_and_allow(authorization_url):
    """Signs Alice in at a client that has to ask her, and lets it."""
    browser = requests.Session()
    asked = send(browser, browser.get(authorization_url), ALICE)
    return led_away(send(browser, asked, {"consent": "allow"}))
