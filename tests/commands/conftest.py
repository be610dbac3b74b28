from tests.study.conftest import same_picture, small_preset

__all__ = ["same_picture", "small_preset"]
