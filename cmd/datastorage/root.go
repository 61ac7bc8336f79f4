package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `Query and record the audit trail of automated remediation: has this happened before, and what fixed it?

Data goes to standard output; progress, hints and errors to standard error. On a terminal, data is a table; in a pipe it is
separated by tabs, without titles, with times as RFC 3339. --json prints the API's response unchanged.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 not found, 4 not allowed, 5 partly done, 130 interrupted.

Environment: DATASTORAGE_URL is the service's address, DATASTORAGE_TOKEN a bearer token for it, DATASTORAGE_AUTH the default of
--auth; NO_COLOR and TERM=dumb turn bold and redrawing off. The AWS CLI's variables and files apply to signed requests.

--auth says how requests authenticate: token sends DATASTORAGE_TOKEN; iam signs with AWS credentials (Signature Version 4), for
the region of the URL or of --region, AWS_REGION or the profile; auto, the default, is token if there is one, iam for
https://ID.execute-api.REGION.amazonaws.com, and none for other addresses.`

const rootExample = `  datastorage dev                                    # the local stack
  datastorage import records.ndjson
  datastorage search pod killed, out of memory
  datastorage list --status failure --since 7d
  datastorage get rem-2026-0001
  datastorage list --url https://a1b2c3d4.execute-api.eu-central-1.amazonaws.com --profile dev`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "datastorage",
		Short:         "Query and record remediations",
		Long:          rootLong,
		Example:       rootExample,
		Version:       moduleVersion(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.talk)
	flags := root.PersistentFlags()
	flags.StringVar(&a.url, "url", "", "address of the service (default DATASTORAGE_URL, else "+defaultURL+")")
	flags.StringVar(&a.auth, "auth", "", "how requests authenticate: auto, iam, token or none (default "+authVariable+", else auto)")
	flags.StringVar(&a.profile, "profile", "", "AWS profile whose credentials sign (default AWS_PROFILE, else default)")
	flags.StringVar(&a.region, "region", "", "AWS region to sign for, if the URL does not have it (default AWS_REGION, else the profile's)")
	flags.BoolVar(&a.json, "json", false, "print the response as JSON, unchanged")
	flags.BoolVar(&a.strong, "strong", false, "read from the writer, not from a replica that may lag behind")
	root.AddCommand(
		newDev(a), newMigrate(a), newModels(a), newImport(a), newSearch(a), newSimilar(a), newGet(a), newList(a), newHistory(a), newDoctor(a), newCompletion(a))
	completeWords(root, "auth", authModes())
	addHelpExample(root)
	disableFileCompletion(root)
	return root
}

// addHelpExample gives cobra's help command an example, as the others have.
func addHelpExample(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, command := range root.Commands() {
		if command.Name() == "help" {
			command.Example = "  datastorage help search"
		}
	}
}

// disableFileCompletion keeps shells from completing file names for flags that take none.
func disableFileCompletion(root *cobra.Command) {
	for _, command := range root.Commands() {
		disableFileCompletion(command)
	}
	root.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if _, has := root.GetFlagCompletionFunc(flag.Name); !has {
			// It fails only if the flag has a completion already.
			_ = root.RegisterFlagCompletionFunc(flag.Name, cobra.NoFileCompletions)
		}
	})
}

// moduleVersion returns the module's version, as recorded by the build.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
