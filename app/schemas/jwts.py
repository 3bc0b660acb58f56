"""Response schemas of JWTs and of the public keys that verify them."""

from marshmallow import fields

from app.schemas.responses import Response


class JwtResponse(Response):
    """A JWT for business back ends. It is not a login token."""

    jwt = fields.String()
    expires_in = fields.Integer(metadata={"description": "Seconds"})


class JwksResponse(Response):
    """A JSON Web Key Set (RFC 7517)."""

    keys = fields.List(fields.Dict(keys=fields.String(), values=fields.String()))
