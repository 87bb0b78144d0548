"""Runs the questions and bakes, prints a row for each, and deletes what they made."""
import argparse
import json
import os
import secrets
import signal
import sys

from botocore.exceptions import BotoCoreError, ClientError

import bakes
import questions
from account import TAG, Account, Slow

FIRST = """\
This program asks the AWS account {account} in {region}:

{what}
Costs   about 1 USD: some 20 small machines for a few minutes each, and snapshots for an hour. RHEL is billed by the hour.
Needs   a default VPC whose subnets assign public addresses, and an account or role for tests with AmazonEC2FullAccess,
        AmazonSSMReadOnlyAccess, ebs:StartSnapshot, ebs:PutSnapshotBlock and ebs:CompleteSnapshot; for the bakes also what
        `ami-bake policy` prints. Takes about an hour.
Deletes every machine, image and snapshot with the tag {tag}={number}, at the end and after Ctrl-C. Nothing else is
        changed. Machines end by themselves after an hour.
"""


def main():
    parser = argparse.ArgumentParser(prog="bench/aws-account/run", description="Ask a real AWS account what no test cloud can answer, and bake there.")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"), help="Default: AWS_REGION, or us-east-1")
    parser.add_argument("--only", help=f"a list of {', '.join([*questions.ALL, 'bakes'])}; or `questions` for all but the bakes")
    parser.add_argument("--machine", default="{}", help="further `machine` settings of the bakes, as JSON")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two looks; default: 2")
    parser.add_argument("--yes", action="store_true", help="do not ask before it begins")
    options = parser.parse_args()
    wanted = [*questions.ALL, "bakes"] if not options.only else list(questions.ALL) if options.only == "questions" else options.only.split(",")
    unknown = [one for one in wanted if one not in [*questions.ALL, "bakes"]]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    account = Account(options.region, secrets.token_hex(4), options.pause)
    try:
        number = account.sts.get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: no usable AWS credentials: {error}\nSet AWS_PROFILE, or sign in with `aws sso login`.")
    what = "".join(f"  {name:18} {work.__doc__.splitlines()[0]}\n" for name, work in questions.ALL.items() if name in wanted)
    if "bakes" in wanted:
        what += f"  {'bakes':18} A whole bake of {', '.join(bakes.SOURCES)}.\n"
    print(FIRST.format(account=number, region=options.region, what=what, tag=TAG, number=account.number))
    if not options.yes and input("Continue? [y/N] ").strip().lower() not in ("y", "yes"):
        sys.exit("Nothing was done.")
    # A signal ends the question that is asked, and everything is deleted all the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows, left = [], []
    try:
        for name in wanted:
            rows += bake_all(account, json.loads(options.machine)) if name == "bakes" else ask(name, account)
    except KeyboardInterrupt:
        print("Cancelled.")
    finally:
        left = account.clean_up()
    for one in left:
        print(f"left: {one}", file=sys.stderr)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([{"question": question, "answer": answer, "evidence": evidence} for question, answer, evidence in rows], file, indent=1)
    asked = all(answer is not None for _, answer, _ in rows) and len(rows) > 0
    sys.exit(0 if asked and not left else 1)


def show(question, answer, evidence):
    word = {True: "yes", False: "no", None: "not asked"}[answer]
    print(f"{word:9}  {question}  ({evidence})", flush=True)
    return question, answer, evidence


def ask(name, account):
    """The rows of a question; what could not be asked is no answer."""
    rows = []
    try:
        for row in questions.ALL[name](account):
            rows.append(show(*row))
    except (BotoCoreError, ClientError, Slow) as error:
        rows.append(show(f"{name}: the rest of the question", None, str(error)))
    return rows


def bake_all(account, machine):
    binary = os.environ.get("AMI_BAKE_BIN")
    if not binary:
        return [show("bakes", None, "AMI_BAKE_BIN does not name a program")]
    return [show(*bakes.bake(account, binary, name, machine)) for name in bakes.SOURCES]


if __name__ == "__main__":
    main()
