-- Alerts and scans by how bad they are: each page reads its own rows.
CREATE INDEX "alert_state_severity_id_idx" ON "alert"("state", "severity", "id");
CREATE INDEX "alert_severity_id_idx" ON "alert"("severity", "id");
CREATE INDEX "scan_infected_unscannable_received_trail_index_idx" ON "scan"("infected", "unscannable", "received", "trail", "index");
