package com.example.orders;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/** Reads the token of a request, and sends refusals as wxpass does (RFC 9457). */
final class Problems {

    private static final Pattern BEARER =
            Pattern.compile("bearer ([A-Za-z0-9._~+/=-]{1,4096})", Pattern.CASE_INSENSITIVE);

    private Problems() {}

    /** Return the token in the header Authorization, or null. */
    static String findBearer(HttpServletRequest request) {
        var header = request.getHeader("Authorization");
        var found = BEARER.matcher(header == null ? "" : header);
        return found.matches() ? found.group(1) : null;
    }

    static void refuse(HttpServletResponse response, int status, String code) throws IOException {
        var body = "{\"status\": %d, \"code\": \"%s\"}".formatted(status, code);
        send(response, status, body.getBytes(StandardCharsets.UTF_8));
    }

    static void send(HttpServletResponse response, int status, byte[] body) throws IOException {
        response.setStatus(status);
        response.setContentType("application/problem+json");
        if (status == 401) {
            response.setHeader("WWW-Authenticate", "Bearer");
        }
        response.getOutputStream().write(body);
    }
}
