"""What runs inside Ray: engines, gateways, and how they get there. The only place that knows Ray.

Ray is imported by these modules when they are; nothing else imports them but inside a function,
after `ray_extra.require_ray`.
"""
