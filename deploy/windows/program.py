"""What haidang-agent.exe runs."""

import sys

from agent.__main__ import main

sys.exit(main())
