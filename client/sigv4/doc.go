// Package sigv4 signs the requests of package client with AWS Signature Version 4, for a deployment whose API has IAM
// authorization, the default of template.yaml:
//
//	signer, err := sigv4.Load(ctx, url)
//	if err != nil {
//		return err
//	}
//	api, err := client.New(url, client.WithSigner(signer.Sign))
//
// Region and credentials are those that the AWS SDK finds: environment variables, profiles (static, SSO, aws login, roles,
// credential_process), web identity, containers and instances. They are refreshed when they expire.
//
// It is a package of its own so that callers with tokens do not link the AWS SDK.
package sigv4
