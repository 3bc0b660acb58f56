/** A back end with one route for each way of verification. */
import express from "express";

import { requireJwt, requireLoginToken } from "./wxpass.js";

const app = express();

app.get("/orders", requireLoginToken, (req, res) => res.json({ user: req.userId }));
app.get("/reports", requireJwt, (req, res) => res.json({ user: req.userId }));

app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
