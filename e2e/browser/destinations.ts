/** Destinations of alerts, in each state that the page has to show. */
import type pg from "pg";

export async function seedDestinations(pool: pg.Pool): Promise<void> {
  await pool.query(
    `INSERT INTO destination (name, kind, shown, sealed, severity, kinds, enabled, added_by, added_at, failures, failing_since,
                              next_at, last_success_at, last_error_at, last_error, left_out, left_out_at, test_at, test_error)
     VALUES ('SOC chat', 'webhook', 'https://hooks.example.org/…', '', 3, '{}', true, 'nora@example.org', now() - interval '9 days',
             0, NULL, now(), now() - interval '4 minutes', now() - interval '2 days', 'It answered 503.', 0, NULL,
             now() - interval '9 days', NULL),
            ('SIEM', 'syslog', 'siem.internal.example.org:6514 TLS', '', 2, '{}', true, 'nora@example.org', now() - interval '9 days',
             9, now() - interval '50 minutes', now() + interval '11 minutes', now() - interval '51 minutes', now() - interval '3 minutes',
             'connect ECONNREFUSED 10.20.0.14:6514', 12, now() - interval '6 days', now() - interval '1 minute',
             'connect ECONNREFUSED 10.20.0.14:6514'),
            ('night pager', 'webhook', 'https://events.pager.example/…', '', 5, '{usb.scan,ids.alert,hypervisor.layout}', true,
             'ada@example.org', now() - interval '1 day', 2, now() - interval '40 seconds', now() + interval '12 seconds',
             now() - interval '3 hours', now() - interval '9 seconds', 'It answered 429.', 0, NULL, NULL, NULL),
            ('relay in the laboratory', 'syslog', '[fd00:5::14]:601 TCP, in the clear', '', 3, '{}', true, 'ada@example.org', now(),
             0, NULL, now(), NULL, NULL, NULL, 0, NULL, NULL, NULL),
            ('old chat', 'webhook', 'https://chat.example.org/…', '', 4, '{}', false, 'nora@example.org', now() - interval '90 days',
             0, NULL, now(), now() - interval '30 days', NULL, NULL, 0, NULL, NULL, NULL)`,
  );
  await pool.query(
    `INSERT INTO delivery (destination_id, alert_id)
     SELECT d.id, a.id FROM destination d, alert a WHERE d.name IN ('SIEM', 'night pager') ORDER BY a.id`,
  );
}
