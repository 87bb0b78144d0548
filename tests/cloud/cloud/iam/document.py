"""Identity-based policies: whether a document allows an action on a resource (IAM user guide, "Policy evaluation logic")."""
import functools
import re


@functools.lru_cache(maxsize=4096)
def _pattern(text, folded):
    """`*` and `?` of a policy element as a regular expression; everything else is literal."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in text), re.DOTALL | (re.IGNORECASE if folded else 0))


def like(value, pattern, folded=False):
    return _pattern(pattern, folded).fullmatch(value) is not None


def listed(value):
    return value if isinstance(value, list) else [value]


class Decision:
    """Whether an action is allowed, whether a statement denied it explicitly, and the statements that decided."""

    def __init__(self, allowed, explicit, sids):
        self.allowed, self.explicit, self.sids = allowed, explicit, sids


class Document:
    """A policy. An unknown condition operator or key is a defect of the test cloud, never a match."""

    def __init__(self, value):
        if value.get("Version") != "2012-10-17":
            raise ValueError(f"unknown policy version {value.get('Version')!r}")
        self.statements = [_Statement(one) for one in listed(value["Statement"])]

    def decide(self, action, resource, context):
        """Decides: an explicit deny wins, and what no statement allows is denied."""
        found = [one for one in self.statements if one.matches(action, resource, context)]
        denied = [one.sid for one in found if not one.allows]
        if denied:
            return Decision(False, True, denied)
        return Decision(bool(found), False, [one.sid for one in found])


class _Statement:
    KNOWN = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}

    def __init__(self, value):
        unknown = set(value) - self.KNOWN
        if unknown or value["Effect"] not in ("Allow", "Deny"):
            raise ValueError(f"statement {value.get('Sid')}: {sorted(unknown) or value['Effect']}")
        for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
            if (one in value) == (other in value):
                raise ValueError(f"statement {value.get('Sid')}: needs {one} or {other}")
        self.sid = value.get("Sid", "")
        self.allows = value["Effect"] == "Allow"
        self.actions, self.all_but = listed(value.get("Action", value.get("NotAction"))), "NotAction" in value
        self.resources, self.elsewhere = listed(value.get("Resource", value.get("NotResource"))), "NotResource" in value
        self.conditions = [(operator, key, listed(values)) for operator, keys in value.get("Condition", {}).items() for key, values in keys.items()]

    def matches(self, action, resource, context):
        # Action names are case-insensitive, ARNs are not.
        named = any(like(action, pattern, folded=True) for pattern in self.actions)
        if named == self.all_but:
            return False
        there = any(arn_like(resource, pattern) for pattern in self.resources)
        if there == self.elsewhere:
            return False
        return all(condition(operator, key, values, context) for operator, key, values in self.conditions)


def arn_like(resource, pattern):
    """Compares each of an ARN's six parts separately: `*` does not match a colon of the first five (ArnLike). In
    the element Resource it would, but no policy here relies on that."""
    if pattern == "*":
        return True
    one, other = resource.split(":", 5), pattern.split(":", 5)
    return len(one) == len(other) and all(like(value, part) for value, part in zip(one, other))


def condition(operator, key, wanted, context):
    """Evaluates one key of one operator. Keys are case-insensitive, except for the tag's name in them (IAM
    reference, "Condition")."""
    quantifier, _, plain = operator.rpartition(":")
    absent_is_enough = plain.endswith("IfExists")
    plain = plain.removesuffix("IfExists")
    found = context.get(key)
    values = None if found is None else [str(value) for value in listed(found)]
    if plain == "Null":
        return all((values is None) == (str(one).lower() == "true") for one in wanted)
    if plain not in OPERATORS:
        raise ValueError(f"unknown condition operator {operator}")
    test, negated = OPERATORS[plain]
    hits = lambda value: any(test(value, str(one)) for one in wanted)  # noqa: E731, one expression for three uses
    if values is None:
        # ForAllValues is true if there are no values, and a negated operator if the key is missing.
        return quantifier == "ForAllValues" or absent_is_enough or (negated and quantifier != "ForAnyValue")
    if quantifier == "ForAllValues":
        return all(hits(value) != negated for value in values)
    if quantifier == "ForAnyValue":
        return any(hits(value) != negated for value in values)
    return all(hits(value) != negated for value in values)


def _same(value, wanted):
    return value == wanted


def _same_folded(value, wanted):
    return value.lower() == wanted.lower()


# operator: (comparison of a value with one of the policy's, whether it is negated)
OPERATORS = {
    "StringEquals": (_same, False), "StringNotEquals": (_same, True),
    "StringEqualsIgnoreCase": (_same_folded, False), "StringNotEqualsIgnoreCase": (_same_folded, True),
    "StringLike": (like, False), "StringNotLike": (like, True),
    "ArnLike": (arn_like, False), "ArnEquals": (arn_like, False), "ArnNotLike": (arn_like, True), "ArnNotEquals": (arn_like, True),
    "Bool": (_same_folded, False),
    "NumericEquals": (lambda value, wanted: float(value) == float(wanted), False),
    "NumericLessThanEquals": (lambda value, wanted: float(value) <= float(wanted), False),
}


class Context(dict):
    """Condition keys of one resource of a call. Names are case-insensitive, except for the part after a slash."""

    @staticmethod
    def _folded(key):
        name, slash, tag = key.partition("/")
        return name.lower() + slash + tag

    def __init__(self, entries=()):
        super().__init__({self._folded(key): value for key, value in dict(entries).items()})

    def get(self, key, default=None):
        return super().get(self._folded(key), default)

    def and_also(self, entries):
        return Context({**self, **entries})
