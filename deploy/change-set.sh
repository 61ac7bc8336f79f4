#!/usr/bin/env bash
# change-set.sh PREFIX makes a change set of stage $STAGE without executing it, with the artifacts under PREFIX of the bucket, prints it, and
# writes its ARN into change-set.txt: nothing if there is nothing to change. It needs .aws-sam/build (make package), and of deploy/oidc.yaml's
# outputs $ARTIFACTS_BUCKET and $CLOUDFORMATION_ROLE.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${STAGE:?}" "${ARTIFACTS_BUCKET:?}" "${CLOUDFORMATION_ROLE:?}"

go run ./cmd/sam deploy --config-env "$STAGE" --no-execute-changeset --no-confirm-changeset --no-fail-on-empty-changeset \
	--no-resolve-s3 --s3-bucket "$ARTIFACTS_BUCKET" --s3-prefix "$1" --role-arn "$CLOUDFORMATION_ROLE" | tee change-set.log
sed -n 's|.*\(arn:[^ ]*:changeSet/[^ ]*\).*|\1|p' change-set.log | tail -n 1 >change-set.txt
