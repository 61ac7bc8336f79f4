package embedding

import (
	"fmt"
	"regexp"
)

// applicationProfile is the ARN of an application inference profile. It ends in an ID that does not
// name the model (Amazon Bedrock API Reference, "InvokeModel", modelId;
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html, 2026-11).
var applicationProfile = regexp.MustCompile(`^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:application-inference-profile/[a-z0-9]+$`)

// systemProfile is the ID of a profile that Bedrock defines, or its ARN: the regions that it covers,
// such as eu or global, and the model (Amazon Bedrock User Guide, "Supported Regions and models for inference
// profiles"; https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html,
// 2026-11).
var systemProfile = regexp.MustCompile(`^(?:arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:inference-profile/)?([a-z-]+)\.([^/]+)$`)

// checkProfile checks that a profile, or "" for none, calls a supported model. For an application
// inference profile that cannot be known.
func checkProfile(profile, model string) error {
	if profile == "" || applicationProfile.MatchString(profile) {
		return nil
	}
	if parts := systemProfile.FindStringSubmatch(profile); parts == nil || parts[2] != model {
		return fmt.Errorf("%s must be an inference profile of %s: an ID such as us.%s, or an ARN", "Profile", model, model)
	}
	return nil
}

// modelOfProfile returns the supported model that a profile of Bedrock's names, or "".
func modelOfProfile(profile string) string {
	parts := systemProfile.FindStringSubmatch(profile)
	if parts == nil || bedrockModels()[parts[2]].maxBatch == 0 {
		return ""
	}
	return parts[2]
}
