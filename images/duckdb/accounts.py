"""Who may log in: names, SCRAM-SHA-256 verifiers, roles and databases, kept in one file of the volume."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading

ITERATIONS = 4096


def hmac256(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def verifier(password):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac256(salted, b"Client Key")).hexdigest()
    return {"salt": base64.b64encode(salt).decode(), "stored": stored, "server": hmac256(salted, b"Server Key").hex()}


class Accounts:
    """The system account comes from the configuration, as a verifier; all others are made by it."""

    def __init__(self, path, system, own):
        self.path, self.system, self.lock = path, system, threading.Lock()
        self.pepper = os.urandom(16)
        self.users = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.users = json.load(file)
        self.own = {"role": "system", "databases": None, **own}

    def find(self, name):
        return self.own if name == self.system else self.users.get(name)

    def change(self, name, change):
        """Replaces what is known of a user (None: forgets it); a crash leaves the old file or the new one."""
        with self.lock:
            users = dict(self.users)
            if change is None:
                users.pop(name, None)
            else:
                users[name] = change
            new = self.path + ".new"
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(users, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
            self.users = users

    def forget_database(self, database):
        for name, user in list(self.users.items()):
            if database in (user["databases"] or []):
                left = [d for d in user["databases"] if d != database]
                self.change(name, {**user, "databases": left})

    def scram(self, name, send, receive):
        """The exchange of RFC 5802; answers whether the client knows the password. Unknown names take the same steps."""
        user = self.find(name)
        known = user or {
            "salt": base64.b64encode(hmac256(self.pepper, name.encode())[:16]).decode(),
            "stored": "00" * 32,
            "server": "00" * 32,
        }
        first = receive().decode()
        flag, _, bare = first.split(",", 2)
        if flag not in ("n", "y"):
            return None
        client_nonce = dict(part.split("=", 1) for part in bare.split(","))["r"]
        nonce = client_nonce + secrets.token_urlsafe(18)
        server_first = f"r={nonce},s={known['salt']},i={ITERATIONS}"
        send(11, server_first.encode())
        final = receive().decode()
        without_proof, proof = final.rsplit(",p=", 1)
        parts = dict(part.split("=", 1) for part in without_proof.split(","))
        if parts.get("r") != nonce:
            return None
        message = f"{bare},{server_first},{without_proof}".encode()
        stored = bytes.fromhex(known["stored"])
        signature = hmac256(stored, message)
        proof = base64.b64decode(proof)
        if len(proof) != len(signature):
            return None
        client_key = bytes(a ^ b for a, b in zip(proof, signature))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), stored) or user is None:
            return None
        send(12, b"v=" + base64.b64encode(hmac256(bytes.fromhex(known["server"]), message)))
        return user
