from tests.study.conftest import small_preset

__all__ = ["small_preset"]
