package com.example.orders;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpClient;
import java.time.Duration;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.util.StringUtils;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestClientException;
import org.springframework.web.filter.OncePerRequestFilter;

/** Admits requests with a login token. wxpass is asked each time. Sets the attribute userId. */
public class LoginTokenFilter extends OncePerRequestFilter {

    private record Answer(int status, String userId, byte[] body) {}

    private final RestClient wxpass;
    private final String tenant;

    public LoginTokenFilter(String url, String tenant) {
        // Java's client follows no redirects by default. A proxy could read the login tokens.
        var client = HttpClient.newBuilder()
                .connectTimeout(Duration.ofSeconds(1))
                .proxy(HttpClient.Builder.NO_PROXY)
                .build();
        var factory = new JdkClientHttpRequestFactory(client);
        factory.setReadTimeout(Duration.ofSeconds(2));
        this.wxpass = RestClient.builder().baseUrl(url).requestFactory(factory).build();
        this.tenant = tenant;
    }

    @Override
    protected void doFilterInternal(
            HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        var token = Problems.findBearer(request);
        if (token == null) {
            Problems.refuse(response, 401, "token_missing");
            return;
        }
        Answer answer;
        try {
            answer = ask(token, request.getHeader("Accept-Language"));
        } catch (RestClientException unavailable) {
            Problems.refuse(response, 503, "wxpass_unavailable");
            return;
        }
        if (answer.status() == 204 && StringUtils.hasLength(answer.userId())) {
            request.setAttribute("userId", answer.userId());
            chain.doFilter(request, response);
        } else if (answer.status() == 401 || answer.status() == 403) {
            // The client needs the code in the body, for example to renew an expired session.
            Problems.send(response, answer.status(), answer.body());
        } else {
            Problems.refuse(response, 503, "wxpass_unavailable");
        }
    }

    private Answer ask(String token, String language) {
        return wxpass.get()
                .uri("/v1/verify?tenant={tenant}", tenant)
                .header("Authorization", "Bearer " + token)
                .header("Accept-Language", language == null ? "*" : language)
                .exchange((request, answer) -> new Answer(
                        answer.getStatusCode().value(),
                        answer.getHeaders().getFirst("X-User-Id"),
                        answer.getBody().readAllBytes()));
    }
}
