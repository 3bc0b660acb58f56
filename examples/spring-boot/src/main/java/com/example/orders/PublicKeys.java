package com.example.orders;

import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.NamedParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The public keys of wxpass. */
public final class PublicKeys {

    static final Duration KEEP = Duration.ofMinutes(5);
    /** At most one request for the keys in this time. */
    static final Duration REFETCH = Duration.ofSeconds(5);

    /** wxpass does not answer, and there are no keys, or only outdated ones. */
    public static final class Unavailable extends RuntimeException {}

    private record Fetched(Map<String, PublicKey> byId, Instant at) {}

    private final HttpClient client =
            HttpClient.newBuilder()
                    .connectTimeout(Duration.ofSeconds(1))
                    .proxy(HttpClient.Builder.NO_PROXY)
                    .build();
    private final HttpRequest request;
    private final Function<String, Map<String, Object>> json;
    private volatile Fetched fetched = new Fetched(Map.of(), Instant.EPOCH);
    private Instant triedAt = Instant.EPOCH;

    public PublicKeys(String wxpassUrl, Function<String, Map<String, Object>> json) {
        var address = URI.create(wxpassUrl + "/.well-known/jwks.json");
        this.request = HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(2)).build();
        this.json = json;
    }

    /** Return the key with this id, or null. Fetch the keys if they are old, or it is unknown. */
    public PublicKey find(String kid, Instant now) {
        if (!isFresh(now) || !fetched.byId().containsKey(kid)) {
            fetchUnlessTried(now);
        }
        if (!isFresh(now)) {
            throw new Unavailable();
        }
        return fetched.byId().get(kid);
    }

    private boolean isFresh(Instant now) {
        return now.isBefore(fetched.at().plus(KEEP));
    }

    private synchronized void fetchUnlessTried(Instant now) {
        if (now.isBefore(triedAt.plus(REFETCH))) {
            return;
        }
        try {
            var answer = client.send(request, BodyHandlers.ofString());
            if (answer.statusCode() == 200) {
                fetched = new Fetched(keysOf(json.apply(answer.body())), now);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } catch (IOException | RuntimeException failed) {
            // The present keys are used until they are too old.
        } finally {
            triedAt = Instant.now();
        }
    }

    /** Return the Ed25519 keys of a key set by id. Malformed keys are skipped. */
    private static Map<String, PublicKey> keysOf(Map<String, Object> set) {
        var keys = new HashMap<String, PublicKey>();
        for (var entry : (List<?>) set.get("keys")) {
            try {
                var key = (Map<?, ?>) entry;
                if ("OKP".equals(key.get("kty")) && "Ed25519".equals(key.get("crv"))) {
                    keys.put((String) key.get("kid"), ed25519((String) key.get("x")));
                }
            } catch (GeneralSecurityException | RuntimeException malformed) {
                // The other keys are still used.
            }
        }
        return keys;
    }

    /** Return a key from its 32 bytes: y, least byte first, and the sign of x in the last bit. */
    private static PublicKey ed25519(String encoded) throws GeneralSecurityException {
        var bytes = Base64.getUrlDecoder().decode(encoded);
        if (bytes.length != 32) {
            throw new InvalidKeySpecException("An Ed25519 key has 32 bytes.");
        }
        var isOdd = (bytes[31] & 0x80) != 0;
        bytes[31] &= 0x7f;
        for (int low = 0, high = 31; low < high; low++, high--) {
            var swapped = bytes[low];
            bytes[low] = bytes[high];
            bytes[high] = swapped;
        }
        var point = new EdECPoint(isOdd, new BigInteger(1, bytes));
        var key = new EdECPublicKeySpec(NamedParameterSpec.ED25519, point);
        return KeyFactory.getInstance("Ed25519").generatePublic(key);
    }
}
