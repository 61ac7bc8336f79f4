package sigv4_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
)

// The region is that of the URL; the credentials are those of a profile, or of AWS_PROFILE without the option.
func ExampleLoad() {
	ctx := context.Background()
	const url = "https://a1b2c3d4.execute-api.eu-central-1.amazonaws.com"
	signer, err := sigv4.Load(ctx, url, config.WithSharedConfigProfile("audit"))
	if err != nil {
		log.Fatal(err)
	}
	api, err := client.New(url, client.WithSigner(signer.Sign))
	if err != nil {
		log.Fatal(err)
	}
	_, err = api.CreateRemediation(ctx, client.RemediationInput{RemediationID: "rem-2026-0001"})
	if missing, ok := errors.AsType[*sigv4.CredentialsError](err); ok {
		fmt.Println(missing, "- run:", missing.Next)
	}
}
