"""schemathesis, unmodified, against the administration API of a running node and its own description.

The description alone makes the requests. What it cannot know is written into a copy of it as examples:
objects that exist, one for each operation that needs one, and bodies that every rule accepts. So each
operation is called as it should be at least once, and then in every way its schema allows and forbids.

description.test.mjs runs it; VAULTARA_URL is a node of its own, whose contents do not matter.
"""

import base64
import collections
import hashlib
import itertools
import json
import os
import secrets
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlencode

import people
import requests

URL = os.environ["VAULTARA_URL"]
ADMIN = ("admin-demo", "admin-demo-secret-for-development-only")
SEED = "20251"
EXAMPLES = "12"
REACHED_AT_LEAST = 0.9
# Sessions and consents of these: each operation on one takes another.
VISITS = 4
NDJSON = "application/x-ndjson"
# Rules go further than a schema can say: lengths that a tenant sets, names that are taken.
NOT_CHECKED = "positive_data_acceptance"

NUMBER = itertools.count(1)


def name(start):
    return f"{start}-{next(NUMBER)}"


def network():
    number = next(NUMBER)
    return f"10.{number // 250}.{number % 250}.0/24"


# 48 by 24 pixels, PNG.
RECIPIENT = "age138x5fkcspvlkue9cparahea93wwqpawlhu8u48ht4jatsdla6udse34zd9"
LOGO = (
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAYCAIAAAAzn+mLAAAALElEQVR42u3OQQkAAAgEsGtgU5/mt4bgYAGWmj4lQkJC"
    "QkJCQkJCQkJCv0ILd5BFve34iCsAAAAASUVORK5CYII="
)

# A body that every rule accepts, for each type that is sent; a new resource adds a line.
BODIES = {
    "TenantInput": lambda world: {"slug": name("made"), "name": "Made"},
    "UserInput": lambda world: {"username": name("user"), "password": "a quite long enough password"},
    "ClientInput": lambda world: {
        "client_id": name("client"),
        "name": "Client",
        "authentication": "client_secret_basic",
        "grant_types": ["client_credentials"],
    },
    "PermissionInput": lambda world: {"name": name("things") + ":use"},
    "PermissionIds": lambda world: {"permissions": ["users:read"]},
    "RoleInput": lambda world: {"name": name("role")},
    "GroupInput": lambda world: {"name": name("group")},
    "UserIds": lambda world: {"users": []},
    "RoleIds": lambda world: {"roles": ["reader"]},
    "ClientScopeInput": lambda world: {"name": name("scope")},
    "SignInNoticeInput": lambda world: {"name": name("notice"), "texts": {"en": "Maintenance on Saturday"}},
    "SourceBlockInput": lambda world: {"network": network()},
    "SecretRotation": lambda world: {"overlap_s": 60},
    "NewLicense": lambda world: {"tier": "enterprise", "holder": "Holder"},
    "LicenseInput": lambda world: {"key": world.license()},
    "RateLimitsInput": lambda world: {},
    "BrandingInput": lambda world: {"accent": "#0f766e"},
    "LanguagesInput": lambda world: {"offered": ["de", "en"], "default": "en"},
    "AttemptRulesInput": lambda world: {"free": 3},
    "ProfileSchemaInput": lambda world: {"fields": {}},
    "LogoInput": lambda world: {"image": LOGO},
    "Undo": lambda world: {"revision": 2},
    "Restoration": lambda world: {},
    "AuditVerification": lambda world: {},
    "JoinTokenInput": lambda world: {"role": "voter"},
    "BackupInput": lambda world: {"recipients": [RECIPIENT]},
    "ClusterSettingsInput": lambda world: {"voters_min": 1},
    "AuditRules": lambda world: {"keep_s": 31_536_000},
}

# A precondition fails before the body is looked at (RFC 9110 §13.2.1), and each line of an import is
# refused by itself, in an answer that is a success.
CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422"]

[[operations]]
include-operation-id-regex = "[.]import$"
checks.negative_data_rejection.enabled = false
"""

# What else stands in paths.
WORDS = {
    "resource": "users",
    "feature": "saml",
    "node": "1",
    "token_id": "0198a000-0000-7000-8000-00000000abcd",
}
# Identifiers that stand beside the first one: the collection they are of.
OTHERS = {"role_id": "roles", "user_id": "users", "perm_id": "permissions", "group_id": "groups"}


class World:
    """What the operations are tried on: a tenant of its own, and whatever is made in it."""

    def __init__(self):
        self.http = requests.Session()
        token = self.http.post(
            f"{URL}/oauth/token",
            auth=ADMIN,
            data={"grant_type": "client_credentials", "resource": f"{URL}/api", "scope": "read write platform"},
        )
        token.raise_for_status()
        self.token = token.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        answer = self.http.get(f"{URL}/api/v1/openapi.json")
        answer.raise_for_status()
        self.document = answer.json()
        self.tenant = "demo"
        self.taken = collections.Counter()
        for _ in range(VISITS):
            self.visit()

    def visit(self):
        """Alice signs in at a client that asks her: one session and one consent."""
        client = name("visited")
        body = {
            "client_id": client,
            "name": "Visited",
            "authentication": "none",
            "redirect_uris": ["http://localhost:3000/callback"],
            "grant_types": ["authorization_code"],
        }
        self.http.post(f"{URL}/api/v1/tenants/demo/clients", json=body).raise_for_status()
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": body["redirect_uris"][0],
            "scope": "openid email",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        back = people.sign_in_and_allow(f"{URL}/t/demo/oauth/authorize?{urlencode(query)}")
        assert "code=" in back, back

    def license(self):
        """A key that counts here."""
        answer = self.http.post(f"{URL}/api/v1/admin/licenses/generate", json=BODIES["NewLicense"](self))
        assert answer.status_code == 201, answer.text
        return answer.json()["key"]

    def body(self, operation):
        """The type of an operation's body, and an example of it if there is one."""
        content = operation.get("requestBody", {}).get("content", {})
        for media in content.values():
            kind = media["schema"].get("$ref", "").rsplit("/", 1)[-1]
            sample = BODIES.get(kind) or BODIES.get(kind.removesuffix("Patch") + "Input")
            return media, sample(self) if sample else None
        return None, None

    def make(self, path):
        """Makes something at a collection and returns its identifier."""
        _, body = self.body(self.document["paths"][path]["post"])
        answer = self.http.post(URL + self.placed(path), json=body)
        assert answer.status_code == 201, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()["id"]

    def placed(self, path):
        return path.replace("{tenant_id}", self.tenant)

    def one_of(self, collection):
        """An identifier of a collection: of something new where it can be made, else of the next there is."""
        described = self.document["paths"].get(collection, {})
        if "post" in described and "201" in described["post"]["responses"]:
            return self.make(collection)
        answer = self.http.get(URL + self.placed(collection))
        items = answer.json().get("items", []) if answer.status_code == 200 else []
        self.taken[collection] += 1
        return items[self.taken[collection] % len(items)]["id"] if items else None

    def values(self, path):
        """A value for each identifier of a path."""
        values = {}
        for place in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            if place == "tenant_id":
                values[place] = self.tenant
            elif place == "node":
                values[place] = 1
            elif place in WORDS:
                values[place] = WORDS[place]
            elif place == "id":
                values[place] = self.one_of(path.split("/{id}")[0])
            else:
                values[place] = self.one_of(f"/api/v1/tenants/{{tenant_id}}/{OTHERS[place]}")
        return values

    def described(self):
        """The description with examples in it."""
        document = json.loads(json.dumps(self.document))
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                values = self.values(path)
                if path.endswith(("/undo", "/restore")):
                    self.prepare(path, values)
                if method == "delete" and path.rsplit("/", 1)[1][1:-1] in OTHERS:
                    self.put_there(path, values)
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "path" and values.get(parameter["name"]):
                        parameter["example"] = values[parameter["name"]]
                media, sample = self.body(operation)
                if sample is not None:
                    media["example"] = sample
        return document

    def prepare(self, path, values):
        """A change that can be taken back, or a deletion."""
        item, verb = path.rsplit("/", 1)
        item = URL + self.placed(item).replace("{id}", values["id"])
        if verb == "restore":
            self.http.delete(item).raise_for_status()
            return
        shown = self.http.get(item).json()
        field = next(field for field in ("email", "description", "name", "reason") if field in shown)
        change = {field: "changed@example.org"}
        headers = {"content-type": "application/merge-patch+json"}
        self.http.patch(item, headers=headers, data=json.dumps(change)).raise_for_status()

    def put_there(self, path, values):
        """What is to be taken away must be there: a member is added before."""
        collection, place = path.rsplit("/", 1)
        for at, value in values.items():
            collection = collection.replace(f"{{{at}}}", value)
        self.http.post(URL + collection, json={OTHERS[place[1:-1]]: [values[place[1:-1]]]})


# schemathesis loads this file too, as its hooks: every answer is counted.
if "VAULTARA_ANSWERS" in os.environ:
    import schemathesis

    @schemathesis.hook
    def after_call(context, case, response):
        line = {"operation": case.operation.label, "status": response.status_code}
        with open(os.environ["VAULTARA_ANSWERS"], "a", encoding="utf-8") as answers:
            answers.write(json.dumps(line) + "\n")

    @schemathesis.serializer(NDJSON)
    def one_line(context, value):
        return json.dumps(value).encode()

    @schemathesis.deserializer(NDJSON)
    def first_line(context, response):
        return json.loads(response.content.splitlines()[0])


class Description(unittest.TestCase):
    def test_every_operation_does_what_the_description_says(self):
        world = World()
        with tempfile.TemporaryDirectory() as folder:
            described = Path(folder, "openapi.json")
            described.write_text(json.dumps(world.described()))
            Path(folder, "schemathesis.toml").write_text(CONFIGURATION)
            answers = Path(folder, "answers.jsonl")
            answers.touch()
            # Identifiers of one answer are used in other requests: the tenant would be gone at once.
            last = "DELETE /api/v1/tenants/{id}"
            runs = [
                schemathesis_runs(world, described, answers, f"--exclude-name={last}"),
                schemathesis_runs(world, described, answers, f"--include-name={last}"),
            ]
            counted = collections.defaultdict(collections.Counter)
            for line in answers.read_text().splitlines():
                answer = json.loads(line)
                counted[answer["operation"]][answer["status"]] += 1
        operations = {
            f"{method.upper()} {path}" for path, methods in world.document["paths"].items() for method in methods
        }
        reached = {operation for operation in operations if any(status // 100 == 2 for status in counted[operation])}
        total = sum(sum(count.values()) for count in counted.values())
        print(f"{total} requests; {len(reached)} of {len(operations)} operations answered 2xx at least once")
        for operation in sorted(operations - reached):
            print(f"  never: {operation} {dict(counted[operation])}")
        for done in runs:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        broken = [operation for operation in counted if any(status >= 500 for status in counted[operation])]
        self.assertEqual(broken, [])
        self.assertGreaterEqual(len(reached) / len(operations), REACHED_AT_LEAST)


def schemathesis_runs(world, described, answers, which):
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(described),
        f"--url={URL}",
        f"--header=Authorization: Bearer {world.token}",
        f"--seed={SEED}",
        f"--max-examples={EXAMPLES}",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--exclude-checks={NOT_CHECKED}",
        "--generation-database=none",
        "--continue-on-failure",
        "--warnings=off",
        "--no-color",
        which,
    ]
    surroundings = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "description_test",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "VAULTARA_ANSWERS": str(answers),
    }
    return subprocess.run(
        command, env=surroundings, cwd=described.parent, capture_output=True, text=True, timeout=800, check=False
    )


if __name__ == "__main__":
    unittest.main()
