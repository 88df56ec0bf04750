"""Who may call a method, and whether somebody who could no longer can."""

from __future__ import annotations

from dataclasses import dataclass

from generator.plan.access import AccessPlan


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller must have: nothing where `needs` is "nothing", a valid token where it is "token".

    With a token, one of `any_scope` and one of `any_role`, where there are some, and all of `all_scopes`. "refused" is
    a method that nobody may call.
    """

    needs: str = "nothing"  # "nothing", "token" or "refused"
    any_scope: frozenset[str] = frozenset()
    all_scopes: frozenset[str] = frozenset()
    any_role: frozenset[str] = frozenset()

    def refuses_some_of(self, before: Access) -> bool:
        """Whether there can be a caller whom `before` let in and this does not."""
        if self.needs == "nothing" or before.needs == "refused":
            return False
        if self.needs == "refused" or before.needs == "nothing":
            return True
        # Whoever was let in had all of the old scopes for sure, and one of the others: any one of them.
        some = (
            self.any_scope
            and not (self.any_scope & before.all_scopes)
            and not _each_is_in(before.any_scope, self.any_scope)
        )
        return bool(
            some
            or not self.all_scopes <= before.all_scopes
            or (self.any_role and not _each_is_in(before.any_role, self.any_role))
        )

    def __str__(self) -> str:
        """What it takes, in words."""
        if self.needs != "token":
            return self.needs
        parts = ["a token"]
        parts += [f"all of the scopes {', '.join(sorted(self.all_scopes))}"] if self.all_scopes else []
        parts += [f"one of the scopes {', '.join(sorted(self.any_scope))}"] if self.any_scope else []
        parts += [f"one of the roles {', '.join(sorted(self.any_role))}"] if self.any_role else []
        return " with ".join([parts[0], " and ".join(parts[1:])]) if len(parts) > 1 else parts[0]


def _each_is_in(held: frozenset[str], wanted: frozenset[str]) -> bool:
    return bool(held) and held <= wanted


def access(plan: AccessPlan | None) -> Access:
    """What the plan of a method says a caller must have."""
    if plan is None or plan.public:
        return Access()
    if plan.rule is None:
        return Access("refused" if plan.denies else "token")
    rule = plan.rule
    return Access("token", frozenset(rule.any_scope), frozenset(rule.all_scopes), frozenset(rule.any_role))
