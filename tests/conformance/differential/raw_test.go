package differential

import (
	"google.golang.org/grpc"

	"go.etcd.io/etcd/api/v3/authpb"
)

type (
	authOptions        = authpb.UserAddOptions
	authPermission     = authpb.Permission
	authPermissionType = authpb.Permission_Type
)

// rawCodec sends and takes bytes as they are.
var rawCodec = grpc.ForceCodec(rawBytes{})

type rawBytes struct{}

func (rawBytes) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawBytes) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}

func (rawBytes) Name() string { return "proto" }
