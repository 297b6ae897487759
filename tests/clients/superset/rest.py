"""Superset's REST API as its pages use it: signed in, with the token against forged requests."""

import secrets

import prison
import requests

# A statement that the generous limits of a busy machine allow.
SECONDS = 600


class Refused(Exception):
    """An answer other than success, with what Superset shows its user."""

    def __init__(self, status: int, body: str) -> None:
        # Of a page of HTML, its head is enough.
        super().__init__(f"{status}: {body[:600]}")
        self.status = status
        self.body = body


class Superset:
    """A signed-in user."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self.session = requests.Session()
        # No proxy stands between a machine and itself.
        self.session.trust_env = False
        login = {"username": user, "password": password, "provider": "db", "refresh": True}
        token = self.post("/api/v1/security/login", login)["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]
        self.session.headers["Referer"] = address

    def get(self, path: str, q: object = None) -> dict:
        """Gets JSON; `q` goes in Rison, as Superset's pages send it."""
        return self.answer("GET", path, params=None if q is None else {"q": prison.dumps(q)}).json()

    def post(self, path: str, body: dict) -> dict:
        return self.answer("POST", path, json=body).json()

    def put(self, path: str, body: dict) -> dict:
        return self.answer("PUT", path, json=body).json()

    def answer(self, method: str, path: str, **arguments: object) -> requests.Response:
        answer = self.session.request(method, self.address + path, timeout=SECONDS, **arguments)
        answer.encoding = "utf-8"
        if not answer.ok:
            raise Refused(answer.status_code, answer.text)
        return answer

    def sql(self, database: int, sql: str, **options: object) -> dict:
        """Runs a statement as SQL Lab does."""
        body = {
            "database_id": database,
            "sql": sql,
            "client_id": secrets.token_hex(5),
            "runAsync": False,
            "queryLimit": 1000,
            "expand_data": True,
            "tab": "checks",
        }
        return self.post("/api/v1/sqllab/execute/", body | options)
