"""Operations of operators on one tenant, for the console and the admin API."""
