"""The view that articles and answers about X-Accel-Redirect recommend, with a check of the owner.

It is written in the manner of these texts: the path is in the URL, the view adds it to the internal
location, nginx finds the type, and Content-Disposition has the last part of the path between
quotation marks.

- "Protect Django media files per user basis with nginx" (b0uh)
- "X-Accel-Redirect" for nginx (djangosnippets, 491)
- "Django - Protected media content" (evileg)
- "Django and nginx file proxy - part two" (K. Zuraw)
- "Nginx X-Accel Explained" (M. Horejsek)
- "How to Serve Protected Content With Django" (Wellfire)

Some of these texts check only that the user is logged in. This version checks the owner. Some
versions escape the path, as the careful view does; many do not, and neither does this one.
"""
