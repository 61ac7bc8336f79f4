package program

// Wheel is a Python package that is used as a plain archive: nothing of it is installed into a Python.
type Wheel struct {
	// Name and Version are those of the Python Package Index.
	Name, Version string
	// Holds says in words what the archive is for.
	Holds string
	// Python is the interpreter that the archive was made for, as "3.11". It is pinned apart from the one that the machine
	// has, because the archive does not need it.
	Python string
	// Builds by operating system and processor, as "linux/amd64" in Go's words.
	Builds map[string]Build
	// Instead is what to type where there is no build for the machine.
	Instead string
}

// Build is one file of a wheel.
type Build struct {
	// Platform is the tag of PEP 425 that selects the file.
	Platform string
	// SHA256 of the file, hexadecimal, as the Python Package Index lists it.
	SHA256 string
	// Megabytes to download.
	Megabytes int
}
