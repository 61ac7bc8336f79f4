#!/usr/bin/env bash
# SAM: a changed parameter publishes no new version, even with AutoPublishAliasAllProperties.
#
# Expected: with AutoPublishAliasAllProperties a new version is published when any property of the function is modified (SAM
#   specification, AWS::Serverless::Function). The value of an environment variable is one, wherever it comes from.
# Seen: the logical id of the version is a hash of the properties as written: for a Ref that is the parameter's name, although
#   the translator is given the parameters' values. Another value in the template changes the id; another value of the
#   parameter does not. CloudFormation then updates the function, publishes nothing, and the alias goes on with the old
#   settings.
# Who meets it: who deploys with --parameter-overrides (a log level, a limit, a model's name): the deploy succeeds, the
#   console shows the new value for $LATEST, and requests and queues, which go through the alias, run with the old one.
# Instead: AutoPublishCodeSha256 from a parameter that is the SHA-256 of the code and the other parameters' values; without
#   the code in it, new code is not published. After each deploy, read the configuration of the alias, not of the function.
#   Reported as aws/serverless-application-model 1640 and 3820.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile aws-sam-translator==1.115.0 >pip.log
cat >seen.py <<'PY'
import importlib.metadata
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

print(f"python {sys.version.split()[0]}, aws-sam-translator {importlib.metadata.version('aws-sam-translator')}")


def version(level, parameters, **properties):
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"LogLevel": {"Type": "String", "Default": "info"}, "Digest": {"Type": "String", "Default": "0"}},
        "Resources": {"Write": {"Type": "AWS::Serverless::Function", "Properties": {
            "Runtime": "provided.al2023", "Handler": "bootstrap", "CodeUri": "s3://bucket/code.zip",
            "AutoPublishAlias": "live", "AutoPublishAliasAllProperties": True,
            "Environment": {"Variables": {"LEVEL": level}}, **properties}}},
    }
    session = boto3.session.Session(region_name="us-east-1")  # makes no request
    resources = Translator({}, Parser(), boto_session=session).translate(template, parameters)["Resources"]
    return next(name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version")


ref = {"Ref": "LogLevel"}
info, debug = version(ref, {"LogLevel": "info"}), version(ref, {"LogLevel": "debug"})
literal_info, literal_debug = version("info", {}), version("debug", {})
digest = {"AutoPublishCodeSha256": {"Ref": "Digest"}}
first, second = (version(ref, {"Digest": letter * 64}, **digest) for letter in "ab")
print(f"parameter info:  {info}\nparameter debug: {debug}")
print(f"literal info:    {literal_info}\nliteral debug:   {literal_debug}")
print(f"AutoPublishCodeSha256 from a parameter: {first}, {second}")
same = info == debug and literal_info != literal_debug and first != second
print("as described" if same else "CHANGED: not as described")
sys.exit(not same)
PY
venv/bin/python seen.py
