"""Response schemas of JWTs and of the public keys that verify them."""

from marshmallow import fields

from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class JwtResponse(Response):
    """A JWT for business back ends. It is not a login token."""

    jwt = fields.String(
        metadata=about(
            "Signed JWT. `sub` is the user id, `aud` the appid, `tenant_id` the tenant.",
            examples.JWT,
        )
    )
    expires_in = fields.Integer(metadata=about("Lifetime of the JWT in seconds.", 600))


class JwksResponse(Response):
    """A JSON Web Key Set (RFC 7517)."""

    keys = fields.List(
        fields.Dict(keys=fields.String(), values=fields.String()),
        metadata=about(
            "Public keys, with the `kid` that a JWT names in its header.",
            [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "kid": "example-key",
                    "use": "sig",
                    "alg": "EdDSA",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                }
            ],
        ),
    )
