"""The form of an application."""

from typing import Any

from django import forms

from jobs.models import MAX_FILE_SIZE, JobApply


class ApplyForm(forms.ModelForm):
    """A new application. The types and the largest size are attributes of the inputs as well."""

    class Meta:
        model = JobApply
        fields = ["what_you_want", *JobApply.FILE_FIELDS]
        widgets = dict.fromkeys(JobApply.FILE_FIELDS, forms.FileInput)
        error_messages = {
            name: {"invalid_image": "This file is not a picture, or it is damaged."}
            for name in JobApply.PICTURE_FIELDS
        }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"label_suffix": "", **kwargs})
        for name in JobApply.FILE_FIELDS:
            model_field: Any = JobApply._meta.get_field(name)
            self.fields[name].widget.attrs |= {
                "accept": ",".join(model_field.allowed_types),
                "data-max-size": str(MAX_FILE_SIZE),
            }
