#!/usr/bin/env bash
# execute.sh STACK CHANGE-SET executes a change set and waits for the end of the deployment. It fails if the stack is rolled back, after
# printing what failed. It needs the AWS CLI.
set -euo pipefail

first=$(aws cloudformation describe-change-set --change-set-name "$2" --query 'ChangeSetType' --output text)
if [ "$first" = CREATE ]; then ended=stack-create-complete; else ended=stack-update-complete; fi
aws cloudformation execute-change-set --change-set-name "$2"
if ! aws cloudformation wait "$ended" --stack-name "$1"; then
	aws cloudformation describe-stack-events --stack-name "$1" --output text \
		--query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatus, ResourceStatusReason]" >&2
	exit 1
fi
