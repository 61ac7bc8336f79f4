package sam

import "github.com/datastorage-service/datastorage/internal/program"

// emulatorWheel pins the wheel of SAM CLI, which contains the Runtime Interface Emulator, a program
// for Linux. requirements.txt has the same version with its dependencies.
func emulatorWheel() program.Wheel {
	file := program.Build{
		Platform:  "any",
		SHA256:    "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf",
		Megabytes: 8,
	}
	return program.Wheel{
		Name:    "aws-sam-cli",
		Version: "1.170.0",
		Holds:   "Lambda's Runtime Interface Emulator",
		Python:  "3.11",
		Instead: "go run ./cmd/datastorage dev   # the functions in one process; or run this on Linux",
		Builds:  map[string]program.Build{"linux/amd64": file, "linux/arm64": file},
	}
}

// emulatorPrograms has the file of the wheel for each GOARCH.
func emulatorPrograms() map[string]string {
	return map[string]string{
		"amd64": "samcli/local/rapid/aws-lambda-rie-x86_64",
		"arm64": "samcli/local/rapid/aws-lambda-rie-arm64",
	}
}
