package com.example.orders;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Instant;
import org.springframework.web.filter.OncePerRequestFilter;

/** Admits requests with a JWT of wxpass. The JWT is verified here. Sets the attribute userId. */
public class JwtFilter extends OncePerRequestFilter {

    private final JwtVerifier verifier;

    public JwtFilter(JwtVerifier verifier) {
        this.verifier = verifier;
    }

    @Override
    protected void doFilterInternal(
            HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        var token = Problems.findBearer(request);
        if (token == null) {
            Problems.refuse(response, 401, "jwt_invalid");
            return;
        }
        String userId;
        try {
            userId = verifier.userOf(token, Instant.now());
        } catch (JwtVerifier.Refused refused) {
            Problems.refuse(response, 401, "jwt_invalid");
            return;
        } catch (PublicKeys.Unavailable unavailable) {
            Problems.refuse(response, 503, "wxpass_unavailable");
            return;
        }
        request.setAttribute("userId", userId);
        chain.doFilter(request, response);
    }
}
