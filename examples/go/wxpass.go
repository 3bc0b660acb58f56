// Two middlewares that admit the users of wxpass. Package net/http, no other packages.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"
)

// The defaults are those of `make run`.
var (
	wxpassURL = setting("WXPASS_URL", "http://127.0.0.1:8000")
	verifyURL = wxpassURL + "/v1/verify?tenant=" + url.QueryEscape(setting("WXPASS_TENANT", "acme"))
)

var bearer = regexp.MustCompile(`^(?i:bearer) ([A-Za-z0-9._~+/=-]+)$`)

const longestToken = 4096

// client ends a request to wxpass after two seconds and follows no redirects. It ignores HTTP_PROXY,
// because a proxy could read the login tokens.
var client = &http.Client{
	Timeout:       2 * time.Second,
	Transport:     withoutProxy(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func withoutProxy() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	return transport
}

type contextKey struct{}

// userID returns the id of the user whose request a middleware has admitted.
func userID(r *http.Request) string {
	return r.Context().Value(contextKey{}).(string)
}

// requireLoginToken admits requests with a login token. wxpass is asked each time.
func requireLoginToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := findBearer(r)
		if token == "" {
			refuse(w, http.StatusUnauthorized, "token_missing")
			return
		}
		answer, body, err := askWxpass(r, token)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, "wxpass_unavailable")
			return
		}
		user := answer.Header.Get("X-User-Id")
		switch {
		case answer.StatusCode == http.StatusNoContent && user != "":
			admit(next, w, r, user)
		case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
			// The client needs the code in the body, for example to renew an expired session.
			sendProblem(w, answer.StatusCode, body)
		default:
			refuse(w, http.StatusServiceUnavailable, "wxpass_unavailable")
		}
	})
}

// requireJWT admits requests with a JWT of wxpass. The JWT is verified here.
func requireJWT(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := verifyJWT(findBearer(r), time.Now())
		switch {
		case errors.Is(err, errKeysUnavailable):
			refuse(w, http.StatusServiceUnavailable, "wxpass_unavailable")
		case err != nil:
			refuse(w, http.StatusUnauthorized, "jwt_invalid")
		default:
			admit(next, w, r, user)
		}
	})
}

func askWxpass(r *http.Request, token string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, verifyURL, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept-Language", r.Header.Get("Accept-Language"))
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return answer, body, err
}

func admit(next http.Handler, w http.ResponseWriter, r *http.Request, user string) {
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, user)))
}

func findBearer(r *http.Request) string {
	found := bearer.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil || len(found[1]) > longestToken {
		return ""
	}
	return found[1]
}

// refuse sends a problem as wxpass does (RFC 9457).
func refuse(w http.ResponseWriter, status int, code string) {
	body, _ := json.Marshal(map[string]any{"status": status, "code": code})
	sendProblem(w, status, body)
}

func sendProblem(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/problem+json")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	w.Write(body)
}

func setting(name, unset string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return unset
}
