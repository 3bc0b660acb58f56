package com.example.orders;

import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.json.JsonParserFactory;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RestController;

/** A back end with one address for each way of verification. */
@SpringBootApplication
@RestController
public class OrdersApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(OrdersApplication.class, arguments);
    }

    /** Without its filter the request has no attribute, and Spring refuses it. */
    @GetMapping("/orders")
    Map<String, String> listOrders(@RequestAttribute("userId") String userId) {
        return Map.of("user", userId);
    }

    @GetMapping("/reports")
    Map<String, String> listReports(@RequestAttribute("userId") String userId) {
        return Map.of("user", userId);
    }

    @Bean
    FilterRegistrationBean<LoginTokenFilter> loginTokenFilter(
            @Value("${wxpass.url}") String url, @Value("${wxpass.tenant}") String tenant) {
        var registration = new FilterRegistrationBean<>(new LoginTokenFilter(url, tenant));
        registration.addUrlPatterns("/orders", "/orders/*");
        return registration;
    }

    @Bean
    FilterRegistrationBean<JwtFilter> jwtFilter(
            @Value("${wxpass.url}") String url,
            @Value("${wxpass.appids}") List<String> appids,
            @Value("${wxpass.issuer}") String issuer) {
        var parser = JsonParserFactory.getJsonParser();
        var keys = new PublicKeys(url, parser::parseMap);
        var verifier = new JwtVerifier(keys, parser::parseMap, issuer, appids);
        var registration = new FilterRegistrationBean<>(new JwtFilter(verifier));
        registration.addUrlPatterns("/reports", "/reports/*");
        return registration;
    }
}
