#!/usr/bin/env bash
# execute.sh STACK CHANGE-SET executes a change set and waits for the end of the deployment, for two hours at most. It fails if the stack is
# rolled back, after printing what failed. The stack of stage $STAGE prod is then protected from deletion. It needs the AWS CLI.
set -euo pipefail

first=$(aws cloudformation describe-change-set --change-set-name "$2" --query 'ChangeSetType' --output text)
if [ "$first" = CREATE ]; then ended=stack-create-complete; else ended=stack-update-complete; fi
aws cloudformation execute-change-set --change-set-name "$2"
# The AWS CLI waits for an hour; a restore or a major upgrade of a large database may take longer.
if ! aws cloudformation wait "$ended" --stack-name "$1" && ! aws cloudformation wait "$ended" --stack-name "$1"; then
	aws cloudformation describe-stack-events --stack-name "$1" --output text \
		--query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatus, ResourceStatusReason]" >&2
	exit 1
fi
if [ "${STAGE:-}" = prod ]; then aws cloudformation update-termination-protection --enable-termination-protection --stack-name "$1"; fi
