// A back end with one route for each way of verification.

package main

import (
	"encoding/json"
	"log"
	"net/http"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.Handle("/orders", requireLoginToken(http.HandlerFunc(showUser)))
	mux.Handle("/reports", requireJWT(http.HandlerFunc(showUser)))
	server := &http.Server{
		Addr:              "127.0.0.1:" + setting("PORT", "9000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func showUser(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"user": userID(r)})
}
