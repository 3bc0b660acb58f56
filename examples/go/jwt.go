package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	keepKeys    = 5 * time.Minute  // how long the public keys are kept
	refetchKeys = 5 * time.Second  // at most one request for the public keys in this time
	clockSkew   = 30 * time.Second // how far the clocks may differ
)

var (
	issuer = setting("WXPASS_ISSUER", "wxpass")
	appids = strings.Split(setting("WXPASS_APPIDS", "wxaaaa000000000001,wxaaaa000000000002"), ",")
	keys   = &publicKeys{}

	errRefused         = errors.New("the JWT is refused")
	errKeysUnavailable = errors.New("wxpass does not answer, and the public keys are missing or old")
)

// verifyJWT returns the id of the user. It accepts EdDSA only, so the header cannot choose another
// algorithm.
func verifyJWT(token string, now time.Time) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errRefused
	}
	var header struct {
		Alg  string          `json:"alg"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	if !decode(parts[0], &header) || header.Alg != "EdDSA" || header.Crit != nil {
		return "", errRefused
	}
	key, err := keys.find(header.Kid, now)
	if err != nil {
		return "", err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return "", errRefused
	}
	return checkClaims(parts[1], now)
}

func checkClaims(part string, now time.Time) (string, error) {
	var claims struct {
		Iss string  `json:"iss"`
		Aud string  `json:"aud"`
		Sub string  `json:"sub"`
		Exp float64 `json:"exp"`
		Nbf float64 `json:"nbf"`
	}
	if !decode(part, &claims) || claims.Iss != issuer || claims.Sub == "" || !isServed(claims.Aud) {
		return "", errRefused
	}
	// Without the claim, Exp is 0, which is long past.
	seconds, skew := float64(now.Unix()), clockSkew.Seconds()
	if seconds >= claims.Exp+skew || seconds < claims.Nbf-skew {
		return "", errRefused
	}
	return claims.Sub, nil
}

// isServed returns whether this back end serves the mini-program.
func isServed(appid string) bool {
	for _, served := range appids {
		if appid == served {
			return true
		}
	}
	return false
}

func decode(part string, into any) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(decoded, into) == nil
}

// publicKeys are the public keys of wxpass by id.
type publicKeys struct {
	mutex     sync.RWMutex
	byID      map[string]ed25519.PublicKey
	fetchedAt time.Time
	fetching  sync.Mutex
	triedAt   time.Time
}

// find returns the key with this id. It fetches the keys if they are old, or the id is unknown.
func (keys *publicKeys) find(kid string, now time.Time) (ed25519.PublicKey, error) {
	key, areFresh := keys.look(kid, now)
	if !areFresh || key == nil {
		keys.fetching.Lock()
		if now.Sub(keys.triedAt) > refetchKeys {
			keys.fetch(now)
			keys.triedAt = time.Now()
		}
		keys.fetching.Unlock()
		key, areFresh = keys.look(kid, now)
	}
	if !areFresh {
		return nil, errKeysUnavailable
	}
	if key == nil {
		return nil, errRefused
	}
	return key, nil
}

func (keys *publicKeys) look(kid string, now time.Time) (ed25519.PublicKey, bool) {
	keys.mutex.RLock()
	defer keys.mutex.RUnlock()
	return keys.byID[kid], now.Sub(keys.fetchedAt) < keepKeys
}

// fetch replaces the keys. If wxpass does not answer, the keys stay until they are too old.
func (keys *publicKeys) fetch(now time.Time) {
	answer, err := client.Get(wxpassURL + "/.well-known/jwks.json")
	if err != nil {
		return
	}
	defer answer.Body.Close()
	var set struct{ Keys []json.RawMessage }
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&set) != nil {
		return
	}
	fetched := map[string]ed25519.PublicKey{}
	for _, text := range set.Keys {
		var key struct{ Kid, Kty, Crv, X string }
		if json.Unmarshal(text, &key) != nil {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if err == nil && key.Kty == "OKP" && key.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			fetched[key.Kid] = x
		}
	}
	keys.mutex.Lock()
	defer keys.mutex.Unlock()
	keys.byID, keys.fetchedAt = fetched, now
}
