"""Keep one session in a store: its numbered log, its generations, who may write them."""
