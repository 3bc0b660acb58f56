package com.example.orders;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Verifies JWTs of wxpass with the JDK alone: Spring's NimbusJwtDecoder cannot verify EdDSA
 * without another library.
 */
public final class JwtVerifier {

    static final String ALGORITHM = "EdDSA";
    static final long CLOCK_SKEW_SECONDS = 30;

    /** The JWT is invalid. */
    public static final class Refused extends RuntimeException {
        Refused(String reason) {
            super(reason);
        }
    }

    private final PublicKeys keys;
    private final Function<String, Map<String, Object>> json;
    private final String issuer;
    private final List<String> appids;

    public JwtVerifier(
            PublicKeys keys,
            Function<String, Map<String, Object>> json,
            String issuer,
            List<String> appids) {
        this.keys = keys;
        this.json = json;
        this.issuer = issuer;
        this.appids = appids;
    }

    /** Return the id of the user. Throw Refused, or PublicKeys.Unavailable. */
    public String userOf(String token, Instant now) {
        var parts = token.split("\\.", -1);
        if (parts.length != 3) {
            throw new Refused("form");
        }
        var header = read(parts[0]);
        if (!ALGORITHM.equals(header.get("alg"))) {
            throw new Refused("algorithm");
        }
        if (header.containsKey("crit")) {
            throw new Refused("critical header");
        }
        var key = keys.find(String.valueOf(header.get("kid")), now);
        if (key == null) {
            throw new Refused("key");
        }
        if (!isSigned(parts[0] + "." + parts[1], decode(parts[2]), key)) {
            throw new Refused("signature");
        }
        return userOf(read(parts[1]), now.getEpochSecond());
    }

    private String userOf(Map<String, Object> claims, long now) {
        if (!issuer.equals(claims.get("iss"))) {
            throw new Refused("issuer");
        }
        if (!(claims.get("aud") instanceof String appid) || !appids.contains(appid)) {
            throw new Refused("audience");
        }
        if (!(claims.get("exp") instanceof Number expiry)
                || now >= expiry.longValue() + CLOCK_SKEW_SECONDS) {
            throw new Refused("expiry");
        }
        if (claims.get("nbf") instanceof Number start
                && now < start.longValue() - CLOCK_SKEW_SECONDS) {
            throw new Refused("start");
        }
        if (!(claims.get("sub") instanceof String userId) || userId.isEmpty()) {
            throw new Refused("subject");
        }
        return userId;
    }

    private static boolean isSigned(String text, byte[] signature, PublicKey key) {
        try {
            var verification = Signature.getInstance("Ed25519");
            verification.initVerify(key);
            verification.update(text.getBytes(StandardCharsets.US_ASCII));
            return verification.verify(signature);
        } catch (GeneralSecurityException malformed) {
            return false;
        }
    }

    private Map<String, Object> read(String part) {
        var text = new String(decode(part), StandardCharsets.UTF_8);
        try {
            return json.apply(text);
        } catch (RuntimeException malformed) {
            throw new Refused("JSON");
        }
    }

    private static byte[] decode(String part) {
        try {
            return Base64.getUrlDecoder().decode(part);
        } catch (IllegalArgumentException malformed) {
            throw new Refused("Base64");
        }
    }
}
