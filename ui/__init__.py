"""The chat's tabs, what they show and what they do: widgets into calls, values into widgets.

It knows gradio and `assistant`, and judges nothing itself.
"""
