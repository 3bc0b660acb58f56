// Creates the tables of better-auth.
import { getMigrations } from "better-auth/db/migration";
import { options } from "./auth.mjs";

const { runMigrations } = await getMigrations(options);
await runMigrations();
await options.database.end();
