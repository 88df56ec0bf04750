"""What there is to test of who may call what: a spec of one kind of rule has no tests of the others."""

from __future__ import annotations

from dataclasses import dataclass

from generator.plan.model import Plan


@dataclass(frozen=True, slots=True)
class AccessView:
    """What the contract tests of authentication find in the spec."""

    issuers: bool  # whether tokens are taken
    certificates: bool  # whether a client certificate is enough without one
    guarded: bool  # whether there are methods that some callers may call
    denied: bool  # ... that nobody may
    public: bool  # ... that anyone may
    rules: bool  # whether some rule asks for scopes or roles
    peers: bool  # ... for names in the client's certificate

    @property
    def helpers(self) -> str:
        """What the tests import from `runtime.testing.access`."""
        used = {
            "beside": True,
            "everything": self.issuers and self.denied,
            "forgeries": self.issuers and self.guarded,
            "just_enough": self.rules,
            "too_little": self.rules,
        }
        return ", ".join(name for name, use in used.items() if use)


def view(plan: Plan) -> AccessView:
    """The tests that a plan with `auth` has."""
    auth = plan.spec.body.auth
    accesses = [method.access for method in plan.methods if method.access is not None]
    rules = [access.rule for access in accesses if not access.public and access.rule is not None]
    return AccessView(
        issuers=bool(auth and auth.jwt),
        certificates=bool(auth and auth.client_certificates),
        guarded=any(not access.public and not access.denies for access in accesses),
        denied=any(access.denies for access in accesses),
        public=any(access.public for access in accesses),
        rules=any(rule.any_scope or rule.all_scopes or rule.any_role for rule in rules),
        peers=any(rule.any_peer for rule in rules),
    )
