"""Auto Scaling beyond moto: groups whose instances are records without machines, and instance refreshes."""
